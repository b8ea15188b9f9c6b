package dev.towline.runtime.firewall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.firewall.FirewallRule.Direction;
import dev.towline.runtime.firewall.FirewallRule.Frame;
import dev.towline.testing.Requirement;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class FirewallRulesTest {
  private static final String HEAD = "agent-port: 7118\nrules:\n";

  private static FirewallRules rules(String... rules) {
    return FirewallDocument.parse(
        HEAD + (rules.length == 0 ? "  []" : "  - " + String.join("\n  - ", rules)));
  }

  private static Packet tcp(String from, int port) {
    return new Packet(
        Direction.INCOMING,
        Frame.IP,
        6,
        IpRange.address(from).orElseThrow(),
        IpRange.address("192.0.2.1").orElseThrow(),
        "02:00:00:00:00:01",
        "",
        40_000,
        port,
        false,
        0);
  }

  private static String rule(String name, String action, int priority, String rest) {
    return "{name: %s, action: %s, priority: %d, direction: incoming, protocol: tcp%s}"
        .formatted(name, action, priority, rest);
  }

  @Test
  @Requirement("F1")
  void agentPort_denyOfEverything_staysOpenByHiddenRule() {
    FirewallRules rules = rules("{name: all, action: deny, priority: 4, direction: incoming}");

    Verdict verdict = rules.test(tcp("198.51.100.9", 7118));

    assertThat(verdict.passes()).isTrue();
    assertThat(verdict.decidedBy()).isEqualTo("rule 'agent port (hidden)' (bypass, priority 4)");
    assertThat(rules.test(tcp("198.51.100.9", 22)).passes()).isFalse();
  }

  @Test
  @Requirement("F1")
  void agentPort_nothingListens_noHiddenRule() {
    assertThat(FirewallDocument.parse("rules: []").inForce()).isEmpty();
  }

  @Test
  @Requirement("F2")
  void agentPort_userRuleOfTopPriority_replacesHiddenRuleWhileItExists() {
    String own =
        rule("own", "force-allow", 4, ", source-ip: 10.0.0.0/8, destination-port: 7000-7200");
    FirewallRules replaced = rules(own);

    assertThat(replaced.isAgentPortReplaced()).isTrue();
    assertThat(replaced.inForce())
        .extracting(FirewallRule::name)
        .containsExactly("agent port, replies (hidden)", "own");
    assertThat(replaced.test(tcp("10.1.2.3", 7118)).decidedBy()).contains("'own'");
    assertThat(replaced.test(tcp("198.51.100.9", 7118)).passes()).isFalse();
    assertThat(replaced.test(tcp("198.51.100.9", 7119)).passes()).isTrue();
    assertThat(rules().test(tcp("198.51.100.9", 7118)).passes()).isTrue();
  }

  @Test
  @Requirement("F2")
  void agentPort_portListHoldsIt_replacesHiddenRule() {
    var listed =
        FirewallDocument.parse(
            "agent-port: 7118\nlists: {port: {mine: [22, 7118]}}\nrules:\n  - "
                + rule("own", "bypass", 4, ", destination-port: '@mine'"));

    assertThat(listed.isAgentPortReplaced()).isTrue();
  }

  @Test
  @Requirement("F2")
  void agentPort_rulesThatOnlyResembleIt_replaceNothing() {
    String port = ", destination-port: 7118";

    for (String near :
        List.of(
            rule("a", "force-allow", 3, port),
            rule("a", "allow", 4, port),
            rule("a", "force-allow", 4, ", destination-port: 7117"),
            rule("a", "force-allow", 4, ""),
            rule("a", "force-allow", 4, port).replace("incoming", "outgoing"),
            rule("a", "force-allow", 4, port).replace("tcp", "udp"))) {
      assertThat(rules(near).isAgentPortReplaced()).as(near).isFalse();
    }
  }

  @Test
  @Requirement("F3")
  void order_priorityBeforeAction_actionBeforePlace() {
    FirewallRules rules =
        rules(
            rule("allow", "allow", 1, ""),
            rule("deny", "deny", 1, ""),
            rule("force", "force-allow", 1, ""),
            rule("log", "log-only", 1, ""),
            rule("bypass", "bypass", 1, ""),
            rule("high deny", "deny", 2, ", destination-port: 23"));

    assertThat(rules.inForce())
        .extracting(FirewallRule::name)
        .endsWith("high deny", "bypass", "log", "force", "deny", "allow");
    assertThat(rules.test(tcp("10.0.0.1", 23)).decidedBy()).contains("'high deny'");
    assertThat(rules.test(tcp("10.0.0.1", 24)).decidedBy()).contains("'bypass'");
  }

  @Test
  @Requirement("F3")
  void allow_otherPacketsOfItsDirection_areDenied() {
    FirewallRules rules =
        rules(rule("web", "allow", 0, ", destination-port: 443"), rule("seen", "log-only", 3, ""));

    assertThat(rules.test(tcp("10.0.0.1", 443)).passes()).isTrue();
    Verdict other = rules.test(tcp("10.0.0.1", 80));
    assertThat(other.passes()).isFalse();
    assertThat(other.decidedBy())
        .isEqualTo("there are allow rules for incoming ip, and none matches");
    assertThat(other.logged()).containsExactly("seen");
  }

  @Test
  @Requirement("F3")
  void established_denyBelowTopPriority_passes() {
    Packet reply =
        new Packet(
            Direction.INCOMING,
            Frame.IP,
            6,
            IpRange.address("10.0.0.1").orElseThrow(),
            IpRange.address("192.0.2.1").orElseThrow(),
            "",
            "",
            443,
            50_000,
            true,
            0);

    assertThat(rules(rule("no", "deny", 3, "")).test(reply).passes()).isTrue();
    assertThat(rules(rule("no", "deny", 4, "")).test(reply).passes()).isFalse();
  }

  @Test
  @Requirement("F3")
  void parse_whatHooksCantSee_isRefusedWithEveryReason() {
    assertThatThrownBy(() ->
            rules(
                "{name: a, action: deny, direction: outgoing,"
                    + " destination-mac: '02:00:00:00:00:01'}",
                "{name: b, action: deny, direction: outgoing, frame: other}",
                "{name: c, action: deny, direction: incoming, frame: arp, destination-port: 1}",
                "{name: d, action: drop, direction: incoming, priority: 5, colour: red}",
                "{name: e, action: deny, direction: incoming, source-ip: '@none'}",
                "{name: f, action: deny, direction: incoming, source-ip: []}"))
        .isInstanceOf(TowlineException.class)
        .hasMessageContainingAll(
            "rule 'a': a MAC address can't be seen on outgoing packets",
            "rule 'b': other frames can be seen when they arrive only",
            "rule 'c': ARP has neither protocols nor ports",
            "rule 'd': action: 'drop' (expected: bypass, log-only, force-allow, deny, allow)",
            "rule 'd': priority: 5 (expected: 0 to 4)",
            "rule 'd': unknown key: colour",
            "rule 'e': source-ip: @none (expected: a list below lists.ip that is not empty)",
            "rule 'f': source-ip: empty");
  }

  @Test
  @Requirement("F4")
  void nftText_anyRules_namesOwnTablesOnly() {
    String text =
        NftText.of(
            rules(rule("web", "allow", 0, ", destination-port: [80, 443]")),
            List.of("eth0"),
            EnumSet.allOf(NftText.Family.class));

    assertThat(text)
        .startsWith("add table inet towline\ndelete table inet towline\nadd table arp towline\n")
        .doesNotContain("flush", "policy drop", "forward", "nat")
        .contains("meta l4proto 6 th dport { 80, 443 } accept comment \"web\"");
    assertThat(text.lines().filter(line -> line.contains("table")))
        .allMatch(line -> line.matches("(add |delete )?table (inet|arp|netdev) towline( \\{)?"));
  }

  @Test
  @Requirement("F3")
  void nftText_neighboursThatDifferInOneValue_areOneRule() {
    String text =
        text(
            rules(
                rule("a", "deny", 1, ", source-ip: 10.0.0.1"),
                rule("b", "deny", 1, ", source-ip: [10.0.0.9, 2001:db8::1]"),
                rule("c", "deny", 1, ", source-ip: 10.0.0.2, destination-port: 22"),
                rule("d", "deny", 1, ", source-ip: 10.0.0.2, destination-port: 23-25"),
                rule("e", "allow", 1, ", source-ip: 10.0.0.3")));

    assertThat(text)
        .contains(
            "ip saddr { 10.0.0.1, 10.0.0.9 } meta l4proto 6 drop comment \"a and more\"",
            "ip6 saddr 2001:db8:0:0:0:0:0:1 meta l4proto 6 drop comment \"a and more\"",
            "ip saddr 10.0.0.2 meta l4proto 6 th dport 22-25 drop comment \"c and more\"",
            "ip saddr 10.0.0.3 meta l4proto 6 accept comment \"e\"");
  }

  @Test
  @Requirement("F3")
  void nftText_whatStandsBetween_keepsRulesApart() {
    String text =
        text(
            rules(
                rule("a", "deny", 4, ", source-ip: 10.0.0.1"),
                rule("b", "deny", 3, ", source-ip: 10.0.0.2"),
                rule("c", "log-only", 2, ", source-ip: 10.0.0.3"),
                rule("d", "deny", 2, ", source-ip: 10.0.0.4")));

    assertThat(text)
        .containsSubsequence(
            "ip saddr 10.0.0.1 ",
            "ct state established,related accept",
            "ip saddr 10.0.0.2 ",
            "log prefix \"towline c: \"",
            "ip saddr 10.0.0.4 ");
  }

  @Test
  @Requirement("F3")
  void nftText_thousandRulesWithSeveralValues_needFewSets() {
    String[] many =
        IntStream.range(0, 1_000)
            .mapToObj(i ->
                rule(
                    "r" + i,
                    "allow",
                    0,
                    ", source-ip: [10.%d.%d.0/24, 192.0.2.9], destination-port: [%d, 90%02d-9999]"
                        .formatted(i / 250, i % 250, 1_000 + i, i % 90)))
            .toArray(String[]::new);

    String text = text(rules(many));

    assertThat(text.chars().filter(c -> c == '{').count()).isLessThan(20);
    assertThat(text)
        .contains(
            "meta l4proto 6 ip saddr . th dport { 10.0.0.0-10.0.0.255 . 1000, ",
            "10.0.3.0-10.0.3.255 . 1003",
            "meta l4proto 6 ip saddr 192.0.2.9 th dport 9003-9999 accept",
            "accept comment \"r0 and more\"");
  }

  private static String text(FirewallRules rules) {
    return NftText.of(rules, List.of("eth0"), EnumSet.of(NftText.Family.INET));
  }
}
