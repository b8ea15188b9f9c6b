package dev.towline.it.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.fleet.FirewallOrders;
import dev.towline.it.topology.Await;
import dev.towline.it.topology.Fleet;
import dev.towline.it.topology.Host;
import dev.towline.it.topology.NatGateway;
import dev.towline.it.topology.Result;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.HostState;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * The host firewall on a NAT gateway that is full of rules of others: whatever Towline does there,
 * they stay as they are and those behind it notice nothing (F4), and rules that cut the gateway off
 * from its manager are taken back (F6).
 */
@Tag("docker")
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class NatGatewayIT {
  private static final boolean LONG = Boolean.getBoolean("towline.long");
  private static final int CHANGES = LONG ? 1_000 : 4;
  private static final int CHANGES_BY_COMMAND = 3;
  private static final int RESTARTS = LONG ? 50 : 2;
  private static final Duration LIMIT = Duration.ofMinutes(2);

  /** F6 itself: 60 s, in which they may be confirmed, and 15 s. */
  private static final Duration TAKEN_BACK = Duration.ofSeconds(75);

  private static final Duration PUT_BACK = Duration.ofSeconds(10);
  private static final String GATEWAY = "gateway";
  private static final String ANOTHER = "gateway-2";
  private static final String RULES = "/tmp/rules.yaml";
  private static final String CUT = "/tmp/cut.yaml";
  private static final String AGENT = "/opt/towline/agent/current/bin/towline-agent";

  /** Where the manager dials; nat-gateway.sh has ufw let it in. */
  private static final int DIALLED = 7_200;

  private static final String CHAIN_OF_CUT = "comment \"cut\"";

  private static final NatGateway topology = new NatGateway();

  @TempDir static Path login;

  private static String before;
  private static NatGateway.Asking asking;

  @BeforeAll
  static void bringUp() {
    topology.up();
    before = topology.foreign();
    asking = topology.ask("installation");
    topology.start();
    topology.manager().write(CUT, cut(topology.manager().address()));
  }

  @AfterAll
  static void takeDown() {
    topology.close();
  }

  private static String rules(int number) {
    return """
    lists:
      ip: {office: [10.0.0.0/8, 2001:db8::/32]}
    rules:
      - {name: web, action: allow, direction: incoming, protocol: tcp, destination-port: [443, %d]}
      - {name: admin, action: force-allow, priority: 2, direction: incoming, source-ip: "@office"}
      - {name: arp, action: deny, direction: incoming, frame: arp, source-ip: 192.0.2.%d}
      - {name: lldp, action: deny, direction: incoming, frame: other, ether-type: "0x88cc"}
    """
        .formatted(1_000 + number, number % 250);
  }

  private static String cut(String manager) {
    return "rules: " + cutList(manager);
  }

  private static String cutList(String manager) {
    return "[{name: cut, action: deny, priority: 4, direction: outgoing, destination-ip: "
        + manager
        + "}]\n";
  }

  /** The manager gets an order through. */
  private static void assertThatManagerReaches(String host) {
    assertThat(topology.fleet().towline("run", "--on", host, "--", "echo", "there"))
        .contains("there");
  }

  private static void set(int number) {
    topology.manager().write(RULES, rules(number));
    assertThat(topology.fleet().towline("firewall", "set", GATEWAY, "-f", RULES))
        .as("change %d", number)
        .contains("confirmed: 4 rules in force");
  }

  private static void restarted() {
    topology.gateway().sh("systemctl restart towline-agent");
    topology.fleet().awaitState(GATEWAY, HostState.HOST_STATE_ONLINE, LIMIT);
  }

  @Test
  @Order(1)
  @Requirement({"F4", "F6"})
  void installedEnabledChangedRestartedKilled_rulesOfOthersStay() {
    Fleet fleet = topology.fleet();
    assertThat(before).contains("masquerade", "dnat", "f2b-sshd", "DOCKER-USER", "ufw", "banned");
    assertThat(topology.foreign()).as("after the installation").isEqualTo(before);
    assertThat(topology.own()).as("off by default").isEmpty();

    var gateway = new FirewallOrders(fleet.admin(login), GATEWAY);
    for (int i = 0; i < CHANGES; i++) {
      if (i < CHANGES_BY_COMMAND) {
        set(i);
      } else {
        gateway.give(
            ControlFirewall.newBuilder()
                .setOrder(ControlFirewall.Order.SET)
                .setRules(rules(i))
                .build());
      }
      if (i % 100 == 0) {
        assertThat(topology.foreign()).as("after change %d", i).isEqualTo(before);
      }
    }
    String own = topology.own();
    assertThat(own).contains("table inet", "table arp", "table netdev");
    for (int i = 0; i < RESTARTS; i++) {
      restarted();
      assertThat(topology.foreign()).as("after restart %d", i).isEqualTo(before);
      assertThat(topology.own()).as("after restart %d", i).isEqualTo(own);
    }
    topology.gateway().sh("systemctl kill -s KILL towline-agent");
    assertThat(topology.own()).as("with the agent killed").isEqualTo(own);
    fleet.awaitState(GATEWAY, HostState.HOST_STATE_ONLINE, LIMIT);

    String shown = fleet.towline("firewall", "show", GATEWAY);
    assertThat(shown)
        .contains(
            "firewall: on",
            "owner: firewalld",
            "owner: ufw and Docker and fail2ban",
            "ufw allow 7118/tcp");
    assertThat(fleet.towline("firewall", "test", GATEWAY, "--from", "203.0.113.9", "--port", "80"))
        .contains("is denied: there are allow rules");
    assertThat(fleet.towline("firewall", "test", GATEWAY, "--from", "10.1.2.3", "--port", "80"))
        .contains("passes: rule 'admin' (force-allow, priority 2)");
    Await.until(
        "a heartbeat tells of it",
        LIMIT,
        () -> fleet.towline("hosts", "show", GATEWAY).contains("4 rules, set "));
  }

  @Test
  @Order(2)
  @Requirement("F6")
  void rulesThatCutOffTheManager_areTakenBack_andRaiseAnAlert() {
    Fleet fleet = topology.fleet();
    String good = topology.own();

    Result result =
        fleet.run("firewall", "set", GATEWAY, "-f", CUT, "--confirm-within", LONG ? "60s" : "10s");

    assertThat(result.exitCode()).as(result.out() + result.err()).isEqualTo(1);
    assertThat(result.out() + result.err()).contains("rolled back: no new connection");
    assertThat(topology.own()).isEqualTo(good);
    assertThat(fleet.towline("alerts", "list")).contains("firewall-rolled-back", GATEWAY);
    assertThatManagerReaches(GATEWAY);
  }

  @Test
  @Order(3)
  @Requirement("F6")
  void agentKilledRightAfterApplying_rulesAreTakenBackWithoutIt() {
    Fleet fleet = topology.fleet();
    String good = topology.own();
    topology
        .manager()
        .launch("cut", "towline", "firewall", "set", GATEWAY, "-f", CUT, "--confirm-within", "20s");
    Await.until("the rules are applied", LIMIT, () -> topology.own().contains(CHAIN_OF_CUT));
    topology.gateway().sh("systemctl kill -s KILL towline-agent; systemctl stop towline-agent");

    Await.until("the guard takes them back", TAKEN_BACK, () -> topology.own().equals(good));

    topology.gateway().sh("systemctl start towline-agent");
    fleet.awaitState(GATEWAY, HostState.HOST_STATE_ONLINE, LIMIT);
    assertThatManagerReaches(GATEWAY);
    Await.until(
        "the alert is raised again",
        LIMIT,
        () ->
            fleet.towline("events", "list", "--code", "firewall.rolled_back").lines().count() > 2);
  }

  @Test
  @Order(4)
  @Requirement("F6")
  void hostRestartsBeforeConfirmation_bootLoadsWhatWasConfirmed() {
    Fleet fleet = topology.fleet();
    String good = topology.own();
    topology.manager().launch("cut-again", "towline", "firewall", "set", GATEWAY, "-f", CUT);
    Await.until("the rules are applied", LIMIT, () -> topology.own().contains(CHAIN_OF_CUT));

    // The namespace outlives the programs; that its rules are gone with a real restart is added.
    topology
        .gateway()
        .sh(
            """
            systemctl kill -s KILL towline-agent
            systemctl stop towline-agent 'towline-firewall-guard-*'
            for f in inet arp netdev; do nft delete table $f towline 2>/dev/null || true; done
            systemctl start towline-agent
            """);

    Await.until("the confirmed rules are loaded", LIMIT, () -> topology.own().equals(good));
    fleet.awaitState(GATEWAY, HostState.HOST_STATE_ONLINE, LIMIT);
  }

  @Test
  @Order(5)
  @Requirement({"F1", "F2", "F6", "D2"})
  void managerDials_newPortIsOpened_andRulesThatShutItOutAreTakenBack() {
    Fleet fleet = topology.fleet();
    fleet.towline(
        "policies",
        "set",
        "--host",
        GATEWAY,
        "connection.direction=manager-initiated",
        "connection.listen-port=" + DIALLED);
    Await.until(
        "the rules follow the port",
        LIMIT,
        () ->
            fleet.towline("firewall", "show", GATEWAY).contains("agent port: " + DIALLED)
                && fleet.towline("hosts", "show", GATEWAY).contains("manager-initiated"));
    String good = topology.own();
    assertThat(good).contains("tcp dport " + DIALLED + " accept").doesNotContain("7118");
    topology
        .manager()
        .write(
            "/tmp/shut.yaml",
            ("rules: [{name: cut, action: force-allow, priority: 4, direction: incoming,"
                    + " protocol: tcp, source-ip: 192.0.2.1, destination-port: %d}]%n")
                .formatted(DIALLED));

    Result result =
        fleet.run("firewall", "set", GATEWAY, "-f", "/tmp/shut.yaml", "--confirm-within", "10s");

    assertThat(result.exitCode()).as(result.out() + result.err()).isEqualTo(1);
    assertThat(result.out() + result.err()).contains("rolled back: no new connection");
    assertThat(topology.own()).isEqualTo(good);
    fleet.towline(
        "policies", "clear", "--host", GATEWAY, "connection.direction", "connection.listen-port");
    Await.until(
        "the rules follow back",
        LIMIT,
        () -> fleet.towline("firewall", "show", GATEWAY).contains("agent port: 7118"));
    assertThatManagerReaches(GATEWAY);
  }

  @Test
  @Order(6)
  @Requirement("F3")
  void rulesOfAPolicy_comeIntoForce_andGoWithIt() {
    Fleet fleet = topology.fleet();
    topology
        .manager()
        .write(
            "/tmp/list.yaml",
            "- {name: of a policy, action: deny, direction: incoming, protocol: tcp,"
                + " destination-port: 23}\n");
    fleet.towline(
        "policies", "set", "--host", GATEWAY, "firewall.on=yes", "firewall.rules=@/tmp/list.yaml");
    Await.until(
        "the policy's rules are confirmed",
        LIMIT,
        () -> fleet.towline("firewall", "show", GATEWAY).contains("on, set policy-"));
    assertThat(topology.own()).contains("comment \"of a policy\"");

    Result refused = fleet.run("firewall", "off", GATEWAY);

    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.out() + refused.err()).contains("the rules come from the host's policy");
    fleet.towline("policies", "clear", "--host", GATEWAY, "firewall.on");
    Await.until("they are gone", LIMIT, () -> topology.own().isEmpty());
    set(2);
    if (LONG) {
      policyCutsOffTheManager();
    }
  }

  /** A policy has no limit of its own, so this takes its minute. */
  private static void policyCutsOffTheManager() {
    Fleet fleet = topology.fleet();
    String good = topology.own();
    topology.manager().write("/tmp/list.yaml", cutList(topology.manager().address()));
    fleet.towline(
        "policies", "set", "--host", GATEWAY, "firewall.on=yes", "firewall.rules=@/tmp/list.yaml");
    Await.until(
        "the policy's rules are applied", LIMIT, () -> topology.own().contains(CHAIN_OF_CUT));

    Await.until("they are taken back", TAKEN_BACK, () -> topology.own().equals(good));

    fleet.awaitState(GATEWAY, HostState.HOST_STATE_ONLINE, LIMIT);
    assertThatManagerReaches(GATEWAY);
    fleet.towline("policies", "clear", "--host", GATEWAY, "firewall.on");
    set(3);
  }

  @Test
  @Order(7)
  @Requirement("F4")
  void upgraded_rulesStay() {
    String own = topology.own();

    topology.upgradeAgent();

    topology.fleet().awaitState(GATEWAY, HostState.HOST_STATE_ONLINE, LIMIT);
    assertThat(topology.foreign()).as("after the upgrade").isEqualTo(before);
    assertThat(topology.own()).as("after the upgrade").isEqualTo(own);
    assertThatManagerReaches(GATEWAY);
  }

  @Test
  @Order(8)
  @Requirement("F4")
  void removed_rulesOfOthersStay_andNoRequestThroughTheNatHasFailed() {
    topology.gateway().sh("/opt/towline/agent/uninstall");

    assertThat(topology.own()).as("after the removal").isEmpty();
    assertThat(topology.foreign()).as("after the removal").isEqualTo(before);
    NatGateway.Requests requests = asking.stop();
    System.out.println(CHANGES + " changes, " + RESTARTS + " restarts: " + requests);
    assertThat(requests.answered()).isGreaterThan(100);
    assertThat(requests.failed()).as(asking.failures()).isZero();
  }

  @Test
  @Order(9)
  @Requirement("F4")
  void oneForeignRuleAltered_theComparisonSeesIt() {
    topology.gateway().sh("iptables-legacy -R OUTPUT 1 -d 203.0.113.69 -j DROP");
    assertThat(topology.foreign()).isNotEqualTo(before);
    topology.gateway().sh("iptables-legacy -R OUTPUT 1 -d 203.0.113.68 -j DROP");
    assertThat(topology.foreign()).isEqualTo(before);
    topology.gateway().sh("ipset add banned 203.0.113.65");
    assertThat(topology.foreign()).isNotEqualTo(before);
    topology.gateway().sh("ipset del banned 203.0.113.65");
  }

  @Test
  @Order(10)
  @Requirement("F4")
  void somebodyFlushesEverything_ownRulesComeBackIn10Seconds_nothingElse() {
    Fleet fleet = topology.fleet();
    // The former one was removed for good.
    topology.gateway().sh("hostname " + ANOTHER);
    topology.installAgent(fleet);
    fleet.towline("firewall", "set", ANOTHER, "-f", RULES);
    String good = topology.own();
    topology.gateway().sh("nft flush ruleset");

    Await.until("Towline's rules are back", PUT_BACK, () -> topology.own().equals(good));

    assertThat(topology.foreign()).doesNotContain("masquerade", "others", "DOCKER");
    Await.until(
        "it is reported",
        LIMIT,
        () -> fleet.towline("events", "list").contains("firewall.reapplied"));
    doctorPutsLostRulesBack();
  }

  /** The case of the seed: its marker file, and no NAT rule where forwarding is on. */
  private static void doctorPutsLostRulesBack() {
    Host gateway = topology.gateway();
    gateway.sh("touch /etc/use_dsa_with_iptables");
    Result doctor = gateway.run(AGENT, "doctor");
    assertThat(doctor.exitCode()).as(doctor.out() + doctor.err()).isEqualTo(1);
    assertThat(doctor.out())
        .contains(
            "PROBLEM: forwarding is on and there is no NAT rule",
            "/etc/use_dsa_with_iptables is there: it means nothing");
    Matcher snapshot = Pattern.compile("snapshot: (\\S+) \\([1-9]").matcher(doctor.out());
    assertThat(snapshot.find()).as(doctor.out()).isTrue();
    NatGateway.Asking after = topology.ask("restored");

    Result restored = gateway.run(AGENT, "doctor", "--restore", snapshot.group(1));

    assertThat(restored.exitCode()).as(restored.out() + restored.err()).isZero();
    assertThat(restored.out()).contains("restored table ip nat", "traffic passes: ");
    assertThat(topology.foreign()).contains("MASQUERADE", "DNAT");
    assertThat(after.stop().answered()).isPositive();
  }
}
