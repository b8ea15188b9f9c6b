package dev.towline.runtime.firewall;

import dev.towline.runtime.firewall.FirewallRule.Direction;
import dev.towline.runtime.firewall.FirewallRule.Frame;
import dev.towline.runtime.firewall.NftLine.Term;
import dev.towline.runtime.firewall.NftLine.Value;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Rules as one transaction of {@code nft -f}: our tables are made anew, nothing else is named.
 *
 * <p>The chains stand before those of others. What they let pass goes on to the tables of others,
 * which may still drop it.
 */
public final class NftText {
  private static final String HOOK = "type filter hook %s priority -10; policy accept;";

  /**
   * The kernel goes through all sets of a table for each that it makes and for each that a rule
   * uses, so thousands of them take a second, in which nothing else can change rules.
   */
  private static final int MOST_SETS = 64;

  /** Our tables, one for each family in use. */
  public enum Family {
    INET,
    ARP,
    NETDEV;

    public String table() {
      return name().toLowerCase(Locale.ROOT) + " towline";
    }
  }

  private NftText() {}

  /** The families that a rule set needs. */
  public static Set<Family> families(FirewallRules rules) {
    Set<Family> families = EnumSet.of(Family.INET);
    if (rules.has(Frame.ARP)) {
      families.add(Family.ARP);
    }
    if (rules.has(Frame.OTHER)) {
      families.add(Family.NETDEV);
    }
    return families;
  }

  /**
   * Takes our tables away.
   *
   * @param families that are or may be there; a family that the kernel lacks must not be named
   */
  public static String off(Set<Family> families) {
    // Adding before deleting makes it work whether or not the table is there.
    return families.stream()
        .sorted()
        .map(family -> "add table %1$s%ndelete table %1$s%n".formatted(family.table()))
        .collect(Collectors.joining());
  }

  /**
   * @param devices for rules about other frames; such a table names its devices
   * @param present families of which a table may be there
   */
  public static String of(FirewallRules rules, List<String> devices, Set<Family> present) {
    Set<Family> families = families(rules);
    List<Chain> chains = new ArrayList<>();
    for (Family family : families) {
      switch (family) {
        case INET -> {
          chains.add(new Chain(family, "input", "input", ip(rules, Direction.INCOMING)));
          chains.add(new Chain(family, "output", "output", ip(rules, Direction.OUTGOING)));
        }
        case ARP -> {
          chains.add(new Chain(family, "input", "input", arp(rules, Direction.INCOMING)));
          chains.add(new Chain(family, "output", "output", arp(rules, Direction.OUTGOING)));
        }
        case NETDEV ->
            chains.add(
                new Chain(
                    family,
                    "ingress",
                    "ingress devices = { " + quoted(devices) + " }",
                    other(rules)));
      }
    }
    boolean many =
        chains.stream().flatMap(chain -> chain.lines.stream()).mapToLong(NftLine::sets).sum()
            > MOST_SETS;
    Set<Family> cleared = EnumSet.copyOf(families);
    cleared.addAll(present);
    var text = new StringBuilder(off(cleared));
    for (Family family : families) {
      text.append("table ").append(family.table()).append(" {\n");
      for (Chain chain : chains) {
        if (chain.family == family) {
          chain.write(text, many);
        }
      }
      text.append("}\n");
    }
    return text.toString();
  }

  private record Chain(Family family, String name, String hook, List<NftLine> lines) {
    void write(StringBuilder text, boolean many) {
      text.append("  chain ").append(name).append(" {\n    ");
      text.append(HOOK.formatted(hook)).append('\n');
      for (NftLine line : many ? ManyLines.of(lines) : lines) {
        text.append("    ").append(line.text()).append('\n');
      }
      text.append("  }\n");
    }
  }

  private static List<NftLine> ip(FirewallRules rules, Direction direction) {
    List<NftLine> lines = new ArrayList<>();
    lines.add(NftLine.raw((direction == Direction.INCOMING ? "iif" : "oif") + " lo accept"));
    for (Step step : JoinedRules.of(rules.steps(direction, Frame.IP))) {
      switch (step) {
        case Step.OfRule(FirewallRule rule) -> lines.addAll(ip(rule));
        case Step.Established() -> lines.add(NftLine.raw("ct state established,related accept"));
        case Step.NeighbourDiscovery() ->
            lines.add(
                NftLine.raw(
                    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit,"
                        + " nd-neighbor-advert } accept"));
        case Step.AgentPortOthers(int port) ->
            lines.add(NftLine.raw("tcp dport " + port + " drop"));
        case Step.DenyRest() -> lines.add(NftLine.raw("drop"));
      }
    }
    return lines;
  }

  private static List<NftLine> ip(FirewallRule rule) {
    List<NftLine> lines = new ArrayList<>();
    for (boolean v6 : new boolean[] {false, true}) {
      String word = v6 ? "ip6" : "ip";
      List<IpRange> sources = IpRange.merged(rule.sourceIps(), v6);
      List<IpRange> destinations = IpRange.merged(rule.destinationIps(), v6);
      boolean isRestricted = !rule.sourceIps().isEmpty() || !rule.destinationIps().isEmpty();
      boolean isOutOfFamily =
          (sources.isEmpty() && !rule.sourceIps().isEmpty())
              || (destinations.isEmpty() && !rule.destinationIps().isEmpty());
      if (isOutOfFamily || (v6 && !isRestricted)) {
        continue;
      }
      lines.add(
          line(
              rule,
              Term.macs("ether saddr", rule.sourceMacs()),
              Term.macs("ether daddr", rule.destinationMacs()),
              Term.ips(word + " saddr", sources),
              Term.ips(word + " daddr", destinations),
              Term.numbers("meta l4proto", rule.protocols()),
              Term.ports("th sport", rule.sourcePorts()),
              Term.ports("th dport", rule.destinationPorts())));
    }
    return lines;
  }

  private static List<NftLine> arp(FirewallRules rules, Direction direction) {
    List<NftLine> lines = new ArrayList<>();
    for (Step step : JoinedRules.of(rules.steps(direction, Frame.ARP))) {
      switch (step) {
        case Step.OfRule(FirewallRule rule) ->
            lines.add(
                line(
                    rule,
                    Term.macs("arp saddr ether", rule.sourceMacs()),
                    Term.macs("arp daddr ether", rule.destinationMacs()),
                    Term.ips("arp saddr ip", IpRange.merged(rule.sourceIps(), false)),
                    Term.ips("arp daddr ip", IpRange.merged(rule.destinationIps(), false))));
        case Step.DenyRest() -> lines.add(NftLine.raw("drop"));
        case Step.Established _, Step.NeighbourDiscovery _, Step.AgentPortOthers _ -> {}
      }
    }
    return lines;
  }

  private static List<NftLine> other(FirewallRules rules) {
    List<NftLine> lines = new ArrayList<>();
    // What is only passing through, for instance over a bridge, is not the host's.
    lines.add(NftLine.raw("meta pkttype != { host, broadcast, multicast } accept"));
    lines.add(NftLine.raw("meta protocol { ip, ip6, arp, vlan } accept"));
    for (Step step : JoinedRules.of(rules.steps(Direction.INCOMING, Frame.OTHER))) {
      switch (step) {
        case Step.OfRule(FirewallRule rule) ->
            lines.add(
                line(
                    rule,
                    Term.macs("ether saddr", rule.sourceMacs()),
                    Term.macs("ether daddr", rule.destinationMacs()),
                    new Term(
                        "meta protocol",
                        rule.etherType() == 0
                            ? List.of()
                            : List.of(
                                Value.single(
                                    "0x%04x".formatted(rule.etherType()),
                                    BigInteger.valueOf(rule.etherType()))))));
        case Step.DenyRest() -> lines.add(NftLine.raw("drop"));
        case Step.Established _, Step.NeighbourDiscovery _, Step.AgentPortOthers _ -> {}
      }
    }
    return lines;
  }

  private static NftLine line(FirewallRule rule, Term... terms) {
    String verdict =
        switch (rule.action()) {
          case BYPASS, FORCE_ALLOW, ALLOW -> "accept";
          case DENY -> "drop";
          case LOG_ONLY -> "log prefix \"towline " + rule.name() + ": \"";
        };
    return new NftLine(List.of(terms), verdict, rule.name());
  }

  private static String quoted(List<String> devices) {
    return devices.stream().map(device -> '"' + device + '"').collect(Collectors.joining(", "));
  }
}
