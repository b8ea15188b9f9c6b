package dev.towline.runtime.firewall;

import dev.towline.runtime.firewall.FirewallRule.Direction;
import dev.towline.runtime.firewall.FirewallRule.Frame;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.LinkedHashSet;
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
    Set<Family> cleared = EnumSet.copyOf(families(rules));
    cleared.addAll(present);
    var text = new StringBuilder(off(cleared));
    for (Family family : families(rules)) {
      text.append("table ").append(family.table()).append(" {\n");
      switch (family) {
        case INET -> {
          chain(text, "input", HOOK.formatted("input"), ip(rules, Direction.INCOMING));
          chain(text, "output", HOOK.formatted("output"), ip(rules, Direction.OUTGOING));
        }
        case ARP -> {
          chain(text, "input", HOOK.formatted("input"), arp(rules, Direction.INCOMING));
          chain(text, "output", HOOK.formatted("output"), arp(rules, Direction.OUTGOING));
        }
        case NETDEV ->
            chain(
                text,
                "ingress",
                HOOK.formatted("ingress devices = { " + quoted(devices) + " }"),
                other(rules));
      }
      text.append("}\n");
    }
    return text.toString();
  }

  private static void chain(StringBuilder text, String name, String hook, List<String> lines) {
    text.append("  chain ").append(name).append(" {\n    ").append(hook).append('\n');
    lines.forEach(line -> text.append("    ").append(line).append('\n'));
    text.append("  }\n");
  }

  private static List<String> ip(FirewallRules rules, Direction direction) {
    List<String> lines = new ArrayList<>();
    lines.add((direction == Direction.INCOMING ? "iif" : "oif") + " lo accept");
    for (Step step : rules.steps(direction, Frame.IP)) {
      switch (step) {
        case Step.OfRule(FirewallRule rule) -> lines.addAll(ip(rule));
        case Step.Established() -> lines.add("ct state established,related accept");
        case Step.NeighbourDiscovery() ->
            lines.add(
                "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit,"
                    + " nd-neighbor-advert } accept");
        case Step.AgentPortOthers(int port) -> lines.add("tcp dport " + port + " drop");
        case Step.DenyRest() -> lines.add("drop");
      }
    }
    return lines;
  }

  private static List<String> ip(FirewallRule rule) {
    String macs =
        set("ether saddr", rule.sourceMacs()) + set("ether daddr", rule.destinationMacs());
    String protocol =
        set("meta l4proto", rule.protocols().stream().map(String::valueOf).toList())
            + ports("th sport", rule.sourcePorts())
            + ports("th dport", rule.destinationPorts());
    List<String> lines = new ArrayList<>();
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
          macs
              + ips(word + " saddr", sources)
              + ips(word + " daddr", destinations)
              + protocol
              + verdict(rule));
    }
    return lines;
  }

  private static List<String> arp(FirewallRules rules, Direction direction) {
    List<String> lines = new ArrayList<>();
    for (Step step : rules.steps(direction, Frame.ARP)) {
      switch (step) {
        case Step.OfRule(FirewallRule rule) ->
            lines.add(
                set("arp saddr ether", rule.sourceMacs())
                    + set("arp daddr ether", rule.destinationMacs())
                    + ips("arp saddr ip", IpRange.merged(rule.sourceIps(), false))
                    + ips("arp daddr ip", IpRange.merged(rule.destinationIps(), false))
                    + verdict(rule));
        case Step.DenyRest() -> lines.add("drop");
        case Step.Established _, Step.NeighbourDiscovery _, Step.AgentPortOthers _ -> {}
      }
    }
    return lines;
  }

  private static List<String> other(FirewallRules rules) {
    List<String> lines = new ArrayList<>();
    // What is only passing through, for instance over a bridge, is not the host's.
    lines.add("meta pkttype != { host, broadcast, multicast } accept");
    lines.add("meta protocol { ip, ip6, arp, vlan } accept");
    for (Step step : rules.steps(Direction.INCOMING, Frame.OTHER)) {
      switch (step) {
        case Step.OfRule(FirewallRule rule) ->
            lines.add(
                set("ether saddr", rule.sourceMacs())
                    + set("ether daddr", rule.destinationMacs())
                    + (rule.etherType() == 0
                        ? ""
                        : "meta protocol 0x%04x ".formatted(rule.etherType()))
                    + verdict(rule));
        case Step.DenyRest() -> lines.add("drop");
        case Step.Established _, Step.NeighbourDiscovery _, Step.AgentPortOthers _ -> {}
      }
    }
    return lines;
  }

  private static String verdict(FirewallRule rule) {
    String verdict =
        switch (rule.action()) {
          case BYPASS, FORCE_ALLOW, ALLOW -> "accept";
          case DENY -> "drop";
          case LOG_ONLY -> "log prefix \"towline " + rule.name() + ": \"";
        };
    return verdict + " comment \"" + rule.name() + "\"";
  }

  private static String ips(String key, List<IpRange> ranges) {
    return set(key, ranges.stream().map(IpRange::text).toList());
  }

  private static String ports(String key, List<PortRange> ranges) {
    return set(key, PortRange.merged(ranges).stream().map(PortRange::text).toList());
  }

  private static String set(String key, Collection<String> values) {
    if (values.isEmpty()) {
      return "";
    }
    String list = String.join(", ", new LinkedHashSet<>(values));
    return values.size() == 1 ? key + " " + list + " " : key + " { " + list + " } ";
  }

  private static String quoted(List<String> devices) {
    return devices.stream().map(device -> '"' + device + '"').collect(Collectors.joining(", "));
  }
}
