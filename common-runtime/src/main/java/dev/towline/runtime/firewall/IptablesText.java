package dev.towline.runtime.firewall;

import dev.towline.runtime.firewall.FirewallRule.Direction;
import dev.towline.runtime.firewall.FirewallRule.Frame;
import java.util.ArrayList;
import java.util.List;

/**
 * Rules for hosts that have iptables and no nft: chains of our own in the filter table, which
 * {@code iptables-restore --noflush} makes anew in one transaction for each family. What passes
 * returns to the chain it came from, so that rules of others still decide, as with {@link NftText}.
 */
public final class IptablesText {
  public static final String INPUT = "TOWLINE-INPUT";
  public static final String OUTPUT = "TOWLINE-OUTPUT";

  /** What one match of several ports takes; a range counts twice. */
  private static final int PORTS_IN_A_MATCH = 15;

  private static final int LONGEST_PREFIX = 29;
  private static final List<Integer> NEIGHBOUR_DISCOVERY = List.of(133, 134, 135, 136);

  private IptablesText() {}

  /** What iptables can't do of these rules; empty when it can do all. */
  public static List<String> refused(FirewallRules rules) {
    List<String> reasons = new ArrayList<>();
    for (FirewallRule rule : rules.rules()) {
      if (rule.frame() != Frame.IP) {
        reasons.add(
            "rule '%s': frames of type %s need nft, and this host has iptables only"
                .formatted(rule.name(), rule.frame().label()));
      } else if (!rule.destinationMacs().isEmpty()) {
        reasons.add(
            "rule '%s': destination MAC addresses need nft, and this host has iptables only"
                .formatted(rule.name()));
      }
    }
    return reasons;
  }

  /** For {@code iptables-restore}, or for {@code ip6tables-restore}. */
  public static String of(FirewallRules rules, boolean v6) {
    var text = new StringBuilder("*filter\n");
    // Naming a chain empties it, without --noflush all others too.
    text.append(":%s - [0:0]%n:%s - [0:0]%n".formatted(INPUT, OUTPUT));
    chain(text, INPUT, "-i lo", rules.steps(Direction.INCOMING, Frame.IP), v6);
    chain(text, OUTPUT, "-o lo", rules.steps(Direction.OUTGOING, Frame.IP), v6);
    return text.append("COMMIT\n").toString();
  }

  private static void chain(
      StringBuilder text, String name, String loopback, List<Step> steps, boolean v6) {
    List<String> lines = new ArrayList<>();
    lines.add(loopback + " -j RETURN");
    for (Step step : steps) {
      switch (step) {
        case Step.OfRule(FirewallRule rule) -> lines.addAll(rule(rule, v6));
        case Step.Established() ->
            lines.add("-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN");
        case Step.NeighbourDiscovery() -> {
          if (v6) {
            NEIGHBOUR_DISCOVERY.forEach(
                type -> lines.add("-p icmpv6 --icmpv6-type " + type + " -j RETURN"));
          }
        }
        case Step.AgentPortOthers(int port) -> lines.add("-p tcp --dport " + port + " -j DROP");
        case Step.DenyRest() -> lines.add("-j DROP");
      }
    }
    lines.forEach(line -> text.append("-A ").append(name).append(' ').append(line).append('\n'));
  }

  private static List<String> rule(FirewallRule rule, boolean v6) {
    List<IpRange> sources = IpRange.merged(rule.sourceIps(), v6);
    List<IpRange> destinations = IpRange.merged(rule.destinationIps(), v6);
    boolean isOutOfFamily =
        (sources.isEmpty() && !rule.sourceIps().isEmpty())
            || (destinations.isEmpty() && !rule.destinationIps().isEmpty());
    if (isOutOfFamily) {
      return List.of();
    }
    List<String> lines = List.of("");
    lines = times(lines, rule.protocols().stream().map(number -> "-p " + number + " ").toList());
    lines = times(lines, addresses(sources, "-s", "--src-range"));
    lines = times(lines, addresses(destinations, "-d", "--dst-range"));
    lines =
        times(
            lines, rule.sourceMacs().stream().map(m -> "-m mac --mac-source " + m + " ").toList());
    lines = times(lines, ports("--sports", rule.sourcePorts()));
    lines = times(lines, ports("--dports", rule.destinationPorts()));
    String end = "-m comment --comment \"" + rule.name() + "\" " + verdict(rule);
    return lines.stream().map(line -> line + end).toList();
  }

  /** Every line with every one of the alternatives; without any as they are. */
  private static List<String> times(List<String> lines, List<String> alternatives) {
    if (alternatives.isEmpty()) {
      return lines;
    }
    return lines.stream()
        .flatMap(line -> alternatives.stream().map(alternative -> line + alternative))
        .toList();
  }

  private static List<String> addresses(List<IpRange> ranges, String single, String many) {
    return ranges.stream()
        .map(range ->
            range.from().equals(range.to())
                ? "%s %s ".formatted(single, range.text())
                : "-m iprange %s %s ".formatted(many, range.text()))
        .toList();
  }

  private static List<String> ports(String option, List<PortRange> ranges) {
    List<String> matches = new ArrayList<>();
    List<String> match = new ArrayList<>();
    int taken = 0;
    for (PortRange range : PortRange.merged(ranges)) {
      int size = range.from() == range.to() ? 1 : 2;
      if (taken + size > PORTS_IN_A_MATCH) {
        matches.add(ports(option, String.join(",", match)));
        match.clear();
        taken = 0;
      }
      match.add(range.text().replace('-', ':'));
      taken += size;
    }
    if (!match.isEmpty()) {
      matches.add(ports(option, String.join(",", match)));
    }
    return matches;
  }

  private static String ports(String option, String list) {
    return "-m multiport %s %s ".formatted(option, list);
  }

  private static String verdict(FirewallRule rule) {
    return switch (rule.action()) {
      case BYPASS, FORCE_ALLOW, ALLOW -> "-j RETURN";
      case DENY -> "-j DROP";
      case LOG_ONLY -> {
        String prefix = "towline " + rule.name() + ": ";
        yield "-j LOG --log-prefix \"%s\""
            .formatted(prefix.substring(0, Math.min(LONGEST_PREFIX, prefix.length())));
      }
    };
  }
}
