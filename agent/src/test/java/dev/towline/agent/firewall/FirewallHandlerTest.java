package dev.towline.agent.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.ControlFirewall.Order;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.runtime.firewall.FirewallPolicy;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import dev.towline.runtime.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Orders and policies on a host with real rules, and a session that a test speaks for. */
final class FirewallHandlerTest {
  private static final String RULES =
      "[{name: web, action: allow, direction: incoming, protocol: tcp, destination-port: 443}]";

  private final List<String> events = new CopyOnWriteArrayList<>();
  private final AtomicInteger tries = new AtomicInteger();
  private volatile boolean managerAnswers = true;
  private NatGateway topology;
  private FirewallHandler handler;

  @TempDir private Path data;
  @TempDir private Path root;

  @BeforeEach
  void start() throws Exception {
    topology = NatGateway.open(root);
    handler =
        new FirewallHandler(
            data,
            topology.commands(),
            root,
            Clock.systemUTC(),
            Thread.ofPlatform().daemon().factory());
    handler.attach(
        new FirewallHandler.Session() {
          @Override
          public CompletableFuture<Optional<String>> reconnect(Duration limit) {
            tries.incrementAndGet();
            return CompletableFuture.completedFuture(
                managerAnswers ? Optional.empty() : Optional.of("nobody answers"));
          }

          @Override
          public void event(String code, String detail) {
            events.add(code);
          }
        });
    handler.start();
  }

  @AfterEach
  void stop() {
    if (handler != null) {
      handler.stop();
    }
    if (topology != null) {
      topology.close();
    }
  }

  @Test
  @Requirement("F6")
  void noManagerForAWhile_rulesAreTakenBack_andSetOnceOneAnswers() throws Exception {
    managerAnswers = false;
    CompletableFuture<DirectiveEnd> ended =
        order(
            ControlFirewall.newBuilder()
                .setOrder(Order.SET)
                .setRules("rules: " + RULES)
                .setConfirmWithinMs(12_000));
    await("the rules are applied", true);
    await("the rules are taken back", false);
    // One after they were taken back, which tells bad rules from no manager; then it tries again.
    int before = tries.get();
    Await.until("it tries again and again", () -> tries.get() > before + 2);
    assertThat(ended).isNotDone();

    managerAnswers = true;

    DirectiveEnd end = ended.get(2, TimeUnit.MINUTES);
    assertThat(end.outcome()).as(end.toString()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(end.output().toStringUtf8()).startsWith("confirmed: 1 rules in force");
    assertThat(topology.own()).contains("comment \"web\"");
    assertThat(events).as("nothing was wrong with the rules").isEmpty();
  }

  @Test
  @Requirement({"F3", "H1"})
  void policy_saysWhichRulesAreInForce_untilItHasNone() throws Exception {
    handler.follow(
        new EffectivePolicy(Map.of(FirewallPolicy.ON, "yes", FirewallPolicy.RULES, RULES)));
    await("the policy's rules are in force", true);

    DirectiveEnd refused =
        order(ControlFirewall.newBuilder().setOrder(Order.OFF)).get(1, TimeUnit.MINUTES);

    assertThat(refused.outcome()).isEqualTo(Outcome.OUTCOME_FAILED);
    assertThat(refused.detail()).contains("the rules come from the host's policy");
    assertThat(handler.status().getOnline()).isTrue();
    assertThat(topology.own()).as("the port it listens on").contains("tcp dport 7118 accept");
    assertThat(handler.status().getDetail()).startsWith("1 rules, set policy-");
    handler.follow(EffectivePolicy.EMPTY);
    await("they are gone with it", false);
    DirectiveEnd shown =
        order(ControlFirewall.newBuilder().setOrder(Order.SHOW)).get(1, TimeUnit.MINUTES);
    assertThat(shown.output().toStringUtf8()).startsWith("firewall: off");
    assertThat(handler.status().getOnline()).isFalse();
  }

  private void await(String what, boolean present) {
    Await.until(
        what,
        () -> {
          try {
            return topology.own().contains("comment \"web\"") == present;
          } catch (Exception e) {
            throw new IllegalStateException(e);
          }
        });
  }

  private CompletableFuture<DirectiveEnd> order(ControlFirewall.Builder order) {
    var ended = new CompletableFuture<DirectiveEnd>();
    handler.accepted(
        new AcceptedDirective(
            "order-" + order.getOrderValue(),
            1,
            DirectiveKind.DIRECTIVE_KIND_CONTROL_FIREWALL,
            DirectiveContent.newBuilder().setControlFirewall(order).build()),
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
    return ended;
  }
}
