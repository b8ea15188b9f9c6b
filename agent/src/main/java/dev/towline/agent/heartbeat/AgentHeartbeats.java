package dev.towline.agent.heartbeat;

import com.google.protobuf.ByteString;
import dev.towline.agent.actions.ActionHandler;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.proto.v1.UpdateReport;
import dev.towline.runtime.session.HeartbeatSource;
import dev.towline.runtime.tls.ServerAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** The agent's heartbeats (H1). Called on the session's thread. */
public final class AgentHeartbeats implements HeartbeatSource {
  private final ActionHandler actions;
  private final Supplier<ModuleStatus> firewall;
  private final Supplier<ByteString> policyFingerprint;
  private final Runnable idle;
  private final ClockSteps steps;
  private boolean namesTold;
  private final AtomicReference<Optional<Supplier<UpdateReport>>> updates =
      new AtomicReference<>(Optional.empty());
  private final AtomicReference<Connection> connection =
      new AtomicReference<>(new Connection(Optional::empty, Optional::empty, Map::of));

  /**
   * How the agent is connected.
   *
   * @param listener where managers may dial it, if they may
   * @param unresolved servers whose name leads nowhere, with the resolver's answer (D5)
   */
  public record Connection(
      Supplier<Optional<Reach>> reach,
      Supplier<Optional<ModuleStatus>> listener,
      Supplier<Map<ServerAddress, String>> unresolved) {}

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
    List<ModuleStatus> modules = new ArrayList<>();
    modules.add(ModuleStatus.newBuilder().setName("actions").setOnline(true).build());
    modules.add(firewall.get());
    connection.get().listener().get().ifPresent(modules::add);
    names().ifPresent(modules::add);
    return new Content(
        modules,
        policyFingerprint.get(),
        Map.of("actions.active", actions.active(), "actions.ended", actions.ended()));
  }

  public void attach(Connection connected) {
    connection.set(connected);
  }

  /** Said again with an empty detail once all names lead somewhere. */
  private Optional<ModuleStatus> names() {
    Map<ServerAddress, String> unresolved = connection.get().unresolved().get();
    if (unresolved.isEmpty() && !namesTold) {
      return Optional.empty();
    }
    namesTold = true;
    return Optional.of(
        ModuleStatus.newBuilder()
            .setName("names")
            .setOnline(unresolved.isEmpty())
            .setDetail(
                unresolved.entrySet().stream()
                    .map(entry ->
                        "%s can't be looked up: %s".formatted(entry.getKey(), entry.getValue()))
                    .collect(Collectors.joining("; ")))
            .build());
  }

  public void attach(Supplier<UpdateReport> updateReport) {
    updates.set(Optional.of(updateReport));
  }

  @Override
  public Optional<UpdateReport> updates() {
    return updates.get().map(Supplier::get);
  }

  @Override
  public Optional<Reach> reach() {
    return connection.get().reach().get();
  }

  @Override
  public Optional<Duration> clockStep() {
    return Optional.of(steps.sinceLast());
  }
}
