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
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
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
  private final AtomicReference<Instant> now =
      new AtomicReference<>(Instant.parse("2026-11-23T12:00:00Z"));
  private volatile Answer answer = _ -> true;
  private NatGateway topology;
  private FirewallHandler handler;

  private interface Answer {
    boolean comes(Duration limit) throws Exception;
  }

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
            now::get,
            this::pass,
            Thread.ofPlatform().daemon().factory());
    handler.attach(
        new FirewallHandler.Session() {
          @Override
          public CompletableFuture<Optional<String>> reconnect(Duration limit) {
            tries.incrementAndGet();
            if (comes(limit)) {
              return CompletableFuture.completedFuture(Optional.empty());
            }
            pass(limit);
            return CompletableFuture.completedFuture(Optional.of("nobody answers"));
          }

          @Override
          public void event(String code, String detail) {
            events.add(code);
          }
        });
    handler.start();
  }

  private boolean comes(Duration limit) {
    try {
      return answer.comes(limit);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /** The clock of the agent; the guard has its own, which is the machine's. */
  private void pass(Duration time) {
    now.updateAndGet(instant -> instant.plus(time));
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
  void noManagerForHours_rulesAreTakenBack_andSetOnceOneAnswers() throws Exception {
    Instant start = now.get();
    Instant back = start.plus(Duration.ofHours(6));
    List<Boolean> inForce = new CopyOnWriteArrayList<>();
    answer =
        _ -> {
          // At first, and a few times while it waits.
          if (tries.get() % 800 < 3) {
            inForce.add(topology.own().contains("comment \"web\""));
          }
          return !now.get().isBefore(back);
        };

    DirectiveEnd end =
        order(
                ControlFirewall.newBuilder()
                    .setOrder(Order.SET)
                    .setRules("rules: " + RULES)
                    .setConfirmWithinMs(60_000))
            .get(5, TimeUnit.MINUTES);

    assertThat(end.outcome()).as(end.toString()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(end.output().toStringUtf8()).startsWith("confirmed: 1 rules in force");
    assertThat(now.get()).isBetween(back, back.plus(Duration.ofMinutes(2)));
    assertThat(inForce).as("tried once, then not until one answers").startsWith(true, false, false);
    assertThat(inForce.subList(1, inForce.size())).containsOnly(false).hasSizeGreaterThan(4);
    assertThat(topology.own()).contains("comment \"web\"");
    assertThat(events).as("nothing was wrong with the rules").isEmpty();
  }

  @Test
  @Requirement("F6")
  void policyCutsOffTheManager_isTakenBack_andNotTriedAgain() throws Exception {
    // Long enough for a busy machine; the clock that the limit goes by is another one.
    answer = _ -> topology.managerAnswers(Duration.ofSeconds(6));
    var cut =
        new EffectivePolicy(
            Map.of(
                FirewallPolicy.ON,
                "yes",
                FirewallPolicy.RULES,
                "[{name: web, action: deny, priority: 4, direction: outgoing, destination-ip: %s}]"
                    .formatted(NatGateway.SERVER)));

    handler.follow(cut);
    Await.until("it is told", () -> events.contains("firewall.rolled_back"));

    assertThat(topology.own()).doesNotContain("comment \"web\"");
    assertThat(topology.managerAnswers(Duration.ofSeconds(30))).isTrue();
    int before = tries.get();
    handler.follow(cut);
    show();
    assertThat(tries).as("the same rules, known to be bad").hasValue(before);
    handler.follow(
        new EffectivePolicy(Map.of(FirewallPolicy.ON, "yes", FirewallPolicy.RULES, RULES)));
    await("another policy's rules are in force", true);
  }

  @Test
  @Requirement({"F1", "D4"})
  void agentListensElsewhere_rulesSetByOrderFollow() throws Exception {
    handler.follow(EffectivePolicy.EMPTY);
    order(ControlFirewall.newBuilder().setOrder(Order.SET).setRules("rules: " + RULES))
        .get(1, TimeUnit.MINUTES);
    assertThat(topology.own()).contains("tcp dport 7118 accept");

    handler.opens(7_200);
    assertThat(topology.own())
        .as("while another port is tried")
        .contains("tcp dport { 7118, 7200 } accept", "tcp sport { 7118, 7200 } accept");
    handler.opens(0);
    assertThat(topology.own()).as("when it was no good").doesNotContain("7200");
    handler.opens(7_200);
    handler.follow(new EffectivePolicy(Map.of(EffectivePolicy.LISTEN_PORT, "7200")));

    assertThat(show()).contains("set order-1-port-7200", "agent port: 7200");
    assertThat(topology.own()).contains("tcp dport 7200 accept").doesNotContain("7118");
    handler.follow(new EffectivePolicy(Map.of(EffectivePolicy.DIRECTION, "agent-initiated")));
    assertThat(show()).contains("set order-1-port-0", "agent port: none");
    assertThat(topology.own()).contains("comment \"web\"").doesNotContain("7200", "hidden");
    assertThat(events).isEmpty();
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
    assertThat(show()).startsWith("firewall: off");
    assertThat(handler.status().getOnline()).isFalse();
  }

  private String show() throws Exception {
    return order(ControlFirewall.newBuilder().setOrder(Order.SHOW))
        .get(1, TimeUnit.MINUTES)
        .output()
        .toStringUtf8();
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
