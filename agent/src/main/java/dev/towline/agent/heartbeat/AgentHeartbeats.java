package dev.towline.agent.heartbeat;

import com.google.protobuf.ByteString;
import dev.towline.agent.actions.ActionHandler;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.runtime.session.HeartbeatSource;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** The agent's heartbeats (H1). Called on the session's thread. */
public final class AgentHeartbeats implements HeartbeatSource {
  private final ActionHandler actions;
  private final Supplier<ModuleStatus> firewall;
  private final Supplier<ByteString> policyFingerprint;
  private final Runnable idle;
  private final ClockSteps steps;

  /**
   * @param idle run with each heartbeat
   */
  public AgentHeartbeats(
      ActionHandler actions,
      Supplier<ModuleStatus> firewall,
      Supplier<ByteString> policyFingerprint,
      Runnable idle,
      ClockSteps steps) {
    this.actions = actions;
    this.firewall = firewall;
    this.policyFingerprint = policyFingerprint;
    this.idle = idle;
    this.steps = steps;
  }

  @Override
  public Content collect() {
    idle.run();
    return new Content(
        List.of(
            ModuleStatus.newBuilder().setName("actions").setOnline(true).build(), firewall.get()),
        policyFingerprint.get(),
        Map.of("actions.active", actions.active(), "actions.ended", actions.ended()));
  }

  @Override
  public Optional<Duration> clockStep() {
    return Optional.of(steps.sinceLast());
  }
}
