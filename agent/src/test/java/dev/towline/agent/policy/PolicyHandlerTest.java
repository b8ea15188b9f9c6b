package dev.towline.agent.policy;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SetPolicy;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import dev.towline.testing.Requirement;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("H6")
final class PolicyHandlerTest {
  private static final Map<String, String> SETTINGS =
      Map.of(EffectivePolicy.HEARTBEAT_INTERVAL, "30s");

  @TempDir Path directory;

  private final List<PolicyHandler> handlers = new ArrayList<>();
  private final List<Map<String, String>> inForce = new ArrayList<>();

  @AfterEach
  void stop() {
    handlers.forEach(PolicyHandler::stop);
  }

  @Test
  void policy_accepted_isInForceAndThereAfterARestart() throws Exception {
    PolicyHandler handler = handler();
    assertThat(handler.fingerprint().isEmpty()).isTrue();
    DirectiveEnd end = set(handler, SETTINGS, new EffectivePolicy(SETTINGS).fingerprint());
    assertThat(end.outcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(handler.fingerprint()).isEqualTo(new EffectivePolicy(SETTINGS).fingerprint());
    assertThat(inForce).containsExactly(Map.of(), SETTINGS);

    PolicyHandler restarted = handler();
    assertThat(restarted.fingerprint()).isEqualTo(handler.fingerprint());
    assertThat(inForce).last().isEqualTo(SETTINGS);
    assertThat(set(restarted, Map.of(), ByteString.EMPTY).outcome())
        .isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(handler().fingerprint().isEmpty()).isTrue();
  }

  @Test
  void policy_withAnotherFingerprint_isNotTaken() throws Exception {
    PolicyHandler handler = handler();
    DirectiveEnd end = set(handler, SETTINGS, ByteString.copyFromUtf8("other"));
    assertThat(end.outcome()).isEqualTo(Outcome.OUTCOME_FAILED);
    assertThat(end.detail()).contains("fingerprint");
    assertThat(handler.fingerprint().isEmpty()).isTrue();
  }

  @Test
  void file_thatCanNotBeRead_countsAsNoPolicy() throws Exception {
    Files.writeString(directory.resolve("policy.json"), "{\"settings\": {");
    assertThat(handler().fingerprint().isEmpty()).isTrue();
  }

  private PolicyHandler handler() {
    var handler =
        new PolicyHandler(
            PolicyFile.open(directory.resolve("policy.json")),
            Clock.systemUTC(),
            Thread.ofPlatform().daemon().factory());
    handlers.add(handler);
    handler.attach(policy -> inForce.add(policy.settings()));
    return handler;
  }

  private static DirectiveEnd set(
      PolicyHandler handler, Map<String, String> settings, ByteString fingerprint)
      throws Exception {
    var ended = new CompletableFuture<DirectiveEnd>();
    handler.accepted(
        new AcceptedDirective(
            "d1",
            1,
            DirectiveKind.DIRECTIVE_KIND_SET_POLICY,
            DirectiveContent.newBuilder()
                .setSetPolicy(
                    SetPolicy.newBuilder().putAllSettings(settings).setFingerprint(fingerprint))
                .build()),
        new DirectiveHandler.Progress() {
          @Override
          public void started() {}

          @Override
          public void output(long offset, ByteString data) {}

          @Override
          public void finished(DirectiveEnd end) {
            ended.complete(end);
          }
        });
    return ended.get(60, TimeUnit.SECONDS);
  }
}
