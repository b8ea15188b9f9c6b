package dev.towline.agent.firewall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.agent.firewall.FirewallEngine.Change;
import dev.towline.runtime.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The engine and its guard on a NAT host with real rules; {@link NatGateway}. */
final class FirewallEngineTest {
  private static final int CHANGES = Boolean.getBoolean("towline.long") ? 1_000 : 30;

  /** Rules that are confirmed take no time of it, however busy the machine is. */
  private static final Duration LIMIT = Duration.ofSeconds(60);

  /** For rules that are not. */
  private static final Duration SHORT = Duration.ofSeconds(4);

  private static final String WEB =
      """
      rules:
        - {name: web, action: allow, direction: incoming, protocol: tcp, destination-port: [80, 443, 8000-8099]}
        - {name: some, action: deny, priority: 1, direction: incoming, source-ip: [192.0.2.1-192.0.2.5, 2001:db8::/32]}
        - {name: log, action: log-only, direction: outgoing, protocol: udp}
      """;
  private static final String NONE = "rules: []";
  private static final String CUT_OFF =
      "rules: [{name: cut, action: deny, priority: 4, direction: outgoing, destination-ip: %s}]"
          .formatted(NatGateway.SERVER);

  private final List<String> events = new ArrayList<>();
  private NatGateway topology;
  private FirewallEngine engine;

  @TempDir private Path data;
  @TempDir private Path root;

  @BeforeEach
  void start() throws Exception {
    topology = NatGateway.open(root);
    engine = restarted();
  }

  @AfterEach
  void stop() {
    if (topology != null) {
      topology.close();
    }
  }

  /** As after a start of the agent. */
  private FirewallEngine restarted() throws Exception {
    return engine(
        limit -> topology.managerAnswers(limit) ? Optional.empty() : Optional.of("no answer"));
  }

  private interface Answer {
    Optional<String> connect(Duration limit) throws IOException, InterruptedException;
  }

  private FirewallEngine engine(Answer answer) throws Exception {
    return engine(answer, topology.commands());
  }

  private FirewallEngine engine(Answer answer, HostCommands commands) throws Exception {
    var made =
        new FirewallEngine(
            new FirewallFiles(data),
            commands,
            root,
            Clock.systemUTC(),
            time -> TimeUnit.NANOSECONDS.sleep(time.toNanos()),
            limit -> {
              try {
                return answer.connect(limit);
              } catch (IOException e) {
                return Optional.of(e.toString());
              }
            },
            (code, detail) -> events.add(code + ": " + detail));
    made.recover();
    return made;
  }

  private static String rules(int number) {
    return """
    agent-port: 7118
    rules:
      - {name: web, action: allow, direction: incoming, protocol: tcp, destination-port: [80, %d]}
      - {name: arp, action: deny, direction: incoming, frame: arp, source-ip: 192.0.2.%d}
      - {name: lldp, action: deny, direction: incoming, frame: other, ether-type: "0x88cc"}
    """
        .formatted(1_000 + number, number % 250);
  }

  @Test
  @Requirement({"F4", "F6"})
  void manyChangesAndRestarts_nothingOfOthersChanges_andForwardedRequestsGoOn() throws Exception {
    String before = topology.foreign();
    assertThat(before).contains("MASQUERADE", "DNAT", "f2b-sshd", "203.0.113.68", "@banned");
    Process asking = topology.ask();

    for (int i = 0; i < CHANGES; i++) {
      assertThat(engine.set("change-" + i, rules(i), LIMIT))
          .as("change %d, events %s", i, events)
          .isInstanceOf(Change.Confirmed.class);
      if (i % 10 == 9) {
        assertThat(topology.foreign()).as("rules of others after change %d", i).isEqualTo(before);
        engine = restarted();
        assertThat(engine.state().on()).isTrue();
      }
    }
    assertThat(topology.own()).contains("table inet", "table arp", "table netdev");
    assertThat(engine.off()).isInstanceOf(Change.Confirmed.class);

    assertThat(topology.own()).isEmpty();
    assertThat(topology.foreign()).isEqualTo(before);
    asking.getOutputStream().close();
    String[] counted = asking.inputReader(StandardCharsets.UTF_8).readLine().split(" ");
    System.out.println(CHANGES + " changes, requests answered and failed: " + List.of(counted));
    assertThat(Integer.parseInt(counted[0])).isGreaterThan(CHANGES);
    assertThat(counted[1]).isEqualTo("0");
    assertThat(events).isEmpty();
    // The comparison can fail: one altered rule of others shows.
    topology.sh(topology.gateway, "iptables-legacy -R OUTPUT 1 -d 203.0.113.69 -j DROP");
    assertThat(topology.foreign()).isNotEqualTo(before);
  }

  @Test
  @Requirement("F6")
  void rulesThatCutOffTheManager_areTakenBack_theFormerOnesAreInForce() throws Exception {
    engine.set("good", rules(1), LIMIT);
    String good = topology.own();

    Change change = engine.set("bad", CUT_OFF, SHORT);

    assertThat(change).isInstanceOf(Change.RolledBack.class);
    assertThat(topology.own()).isEqualTo(good);
    assertThat(topology.managerAnswers(LIMIT)).isTrue();
    assertThat(events).singleElement().asString().startsWith("firewall.rolled_back: no new");
    assertThat(engine.state().id()).isEqualTo("good");
  }

  @Test
  @Requirement("F6")
  void noManagerAnswers_rulesAreTakenBack_andNotCalledBad() throws Exception {
    engine = engine(_ -> Optional.of("nobody there"));

    Change change = engine.set("any", NONE, SHORT);

    assertThat(change).isInstanceOf(Change.NoManager.class);
    assertThat(topology.own()).isEmpty();
    assertThat(events).isEmpty();
  }

  @Test
  @Requirement("F6")
  void agentDiesAfterApplying_guardTakesTheRulesBack_withoutIt() throws Exception {
    engine =
        engine(_ -> {
          throw new IllegalStateException("killed");
        });
    assertThatThrownBy(() -> engine.set("bad", CUT_OFF, Duration.ofSeconds(10)))
        .hasMessage("killed");
    assertThat(topology.own()).contains("comment \"cut\"");

    Await.until("the guard takes the rules back", () -> unchecked(topology::own).isEmpty());

    assertThat(topology.managerAnswers(LIMIT)).isTrue();
    engine = restarted();
    assertThat(events).singleElement().asString().contains("firewall.rolled_back: set bad");
  }

  @Test
  @Requirement("F6")
  void hostRestartsBeforeConfirmation_bootLoadsWhatWasConfirmed() throws Exception {
    engine.set("good", rules(1), LIMIT);
    String good = topology.own();
    engine =
        engine(_ -> {
          throw new IllegalStateException("killed");
        });
    assertThatThrownBy(() -> engine.set("bad", CUT_OFF, Duration.ofSeconds(60)))
        .hasMessage("killed");
    // A restart leaves no rules, and no guard.
    topology.sh(topology.gateway, "nft flush ruleset; kill $(cat " + data + "/armed-bad)");

    topology.commands().run("sh", data + "/guard.sh", data.toString(), "boot");

    assertThat(topology.own()).isEqualTo(good);
    engine = restarted();
    assertThat(engine.state().id()).isEqualTo("good");
    assertThat(events).singleElement().asString().contains("the host restarted");
  }

  @Test
  @Requirement("F4")
  void somebodyFlushesEverything_ownRulesComeBack_nothingElse() throws Exception {
    engine.set("good", rules(1), LIMIT);
    String good = topology.own();
    topology.sh(topology.gateway, "nft flush ruleset");

    engine.look();

    assertThat(topology.own()).isEqualTo(good);
    assertThat(topology.foreign()).doesNotContain("MASQUERADE", "others");
    assertThat(engine.state().reapplied()).isEqualTo(1);
    assertThat(events).singleElement().asString().startsWith("firewall.reapplied");
  }

  @Test
  @Requirement({"F4", "F6"})
  void hostWithoutNft_hasChainsOfItsOwn_andTakesBackThere() throws Exception {
    String before = topology.foreignIptables();
    HostCommands real = topology.commands();
    engine =
        engine(
            limit -> topology.managerAnswers(limit) ? Optional.empty() : Optional.of("no answer"),
            (input, command) -> {
              if (command.getFirst().equals("nft")) {
                throw new IOException("no such program");
              }
              return real.run(input, command);
            });

    assertThat(engine.set("first", WEB, LIMIT)).isInstanceOf(Change.Confirmed.class);
    assertThat(engine.set("good", WEB, LIMIT)).isInstanceOf(Change.Confirmed.class);
    String good = topology.ownIptables();
    assertThat(good.lines().filter(line -> line.contains("-A INPUT -j TOWLINE-INPUT")))
        .as("one for each family")
        .hasSize(2);
    assertThat(engine.set("arp", rules(1), LIMIT))
        .isInstanceOfSatisfying(
            Change.Refused.class,
            refused -> assertThat(refused.reason()).contains("type arp need nft"));
    assertThat(engine.set("bad", CUT_OFF, SHORT)).isInstanceOf(Change.RolledBack.class);
    assertThat(topology.ownIptables()).isEqualTo(good);
    assertThat(topology.foreignIptables()).isEqualTo(before);

    topology.sh(topology.gateway, "iptables -D INPUT -j TOWLINE-INPUT");
    engine.look();
    assertThat(topology.ownIptables().lines().sorted())
        .containsExactlyElementsOf(good.lines().sorted().toList());
    assertThat(engine.off()).isInstanceOf(Change.Confirmed.class);

    assertThat(topology.ownIptables()).isEmpty();
    assertThat(topology.foreignIptables()).isEqualTo(before);
    assertThat(events).hasSize(2);
  }

  @Test
  @Requirement("F5")
  void natRulesLost_doctorSaysSo_andRestoresTheSnapshotOnOrder() throws Exception {
    Files.createDirectories(root.resolve("etc"));
    Files.createFile(root.resolve("etc/use_dsa_with_iptables"));
    Files.createDirectories(root.resolve("proc/sys/net/ipv4"));
    Files.writeString(root.resolve("proc/sys/net/ipv4/ip_forward"), "1\n");
    engine.set("good", rules(1), LIMIT);
    String before = topology.sh(topology.gateway, "iptables-nft-save -t nat | grep ^-A");
    var doctor = new Doctor(topology.commands(), root, data, Clock.systemUTC());
    assertThat(doctor.look().healthy()).isTrue();
    topology.sh(topology.gateway, "iptables-nft -t nat -F");

    Doctor.Diagnosis sick = doctor.look();

    assertThat(sick.healthy()).isFalse();
    assertThat(String.join("\n", sick.lines()))
        .contains(
            "PROBLEM: forwarding is on and there is no NAT rule",
            "doctor --restore",
            "etc/use_dsa_with_iptables is there: it means nothing",
            "owner: fail2ban");
    String snapshot = new FirewallFiles(data).snapshots().toFile().list()[0];
    Process asking = topology.ask();
    assertThat(doctor.restore(snapshot))
        .contains("restored table ip nat", "read back: 2 NAT rules")
        .anyMatch(line -> line.startsWith("traffic passes"));
    assertThat(topology.sh(topology.gateway, "iptables-nft-save -t nat | grep ^-A"))
        .isEqualTo(before);
    assertThat(doctor.look().healthy()).isTrue();
    assertThatThrownBy(() -> doctor.restore(snapshot)).hasMessageContaining("NAT rules are there");
    asking.getOutputStream().close();
  }

  private interface Asked {
    String get() throws Exception;
  }

  private static String unchecked(Asked asked) {
    try {
      return asked.get();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
