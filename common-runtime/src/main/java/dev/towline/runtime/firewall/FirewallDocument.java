package dev.towline.runtime.firewall;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.firewall.FirewallRule.Action;
import dev.towline.runtime.firewall.FirewallRule.Direction;
import dev.towline.runtime.firewall.FirewallRule.Frame;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** Reads rules as people write them ({@code docs/firewall.md}); says every problem at once. */
public final class FirewallDocument {
  public static final ErrorCode FIREWALL_RULES_INVALID = ErrorCode.user("FIREWALL_RULES_INVALID");

  /** More text than this is no rule set. */
  public static final int LARGEST = 1 << 20;

  private static final int MOST_RULES = 10_000;
  private static final int LAST_PORT = 65_535;
  private static final YAMLMapper YAML = YAMLMapper.builder().build();
  private static final Set<String> KEYS = Set.of("stateful", "agent-port", "lists", "rules");
  private static final Set<String> LISTS = Set.of("ip", "mac", "port");
  private static final Set<String> RULE_KEYS =
      new TreeSet<>(
          Set.of(
              "name",
              "action",
              "priority",
              "direction",
              "frame",
              "protocol",
              "source-ip",
              "destination-ip",
              "source-mac",
              "destination-mac",
              "source-port",
              "destination-port",
              "ether-type"));
  private static final Map<String, List<Integer>> PROTOCOLS =
      Map.of(
          "any", List.of(),
          "tcp", List.of(FirewallRule.TCP),
          "udp", List.of(FirewallRule.UDP),
          "tcp+udp", List.of(FirewallRule.TCP, FirewallRule.UDP),
          "icmp", List.of(1),
          "icmpv6", List.of(FirewallRule.ICMP_V6));

  private final JsonNode root;
  private final List<String> problems = new ArrayList<>();

  private FirewallDocument(JsonNode root) {
    this.root = root;
  }

  /**
   * @throws TowlineException with everything that is wrong
   */
  public static FirewallRules parse(String text) {
    return parse(text, 0);
  }

  /**
   * @param listening where the agent listens, for rules that don't say it; 0: nowhere
   * @throws TowlineException with everything that is wrong
   */
  public static FirewallRules parse(String text, int listening) {
    if (text.length() > LARGEST) {
      throw invalid("%d characters (expected: up to %d)".formatted(text.length(), LARGEST));
    }
    JsonNode root;
    try {
      root = YAML.readTree(text);
    } catch (JacksonException e) {
      throw invalid("no YAML: " + e.getOriginalMessage());
    }
    return new FirewallDocument(root).read(listening);
  }

  /** Number of a protocol by name or number. */
  public static Optional<List<Integer>> protocols(String text) {
    List<Integer> known = PROTOCOLS.get(text);
    if (known != null) {
      return Optional.of(known);
    }
    return text.matches("\\d{1,3}") && Integer.parseInt(text) <= 255
        ? Optional.of(List.of(Integer.parseInt(text)))
        : Optional.empty();
  }

  private FirewallRules read(int listening) {
    if (!root.isObject()) {
      throw invalid("not a map (expected: stateful, agent-port, lists, rules)");
    }
    unknown("", root, KEYS);
    unknown("lists: ", root.path("lists"), LISTS);
    int port = root.path("agent-port").asInt(listening);
    if (port < 0 || port > LAST_PORT) {
      problems.add("agent-port: %d (expected: 0 to 65535)".formatted(port));
    }
    JsonNode stateful = root.path("stateful");
    if (!stateful.isMissingNode() && !stateful.isBoolean()) {
      problems.add("stateful: '%s' (expected: true or false)".formatted(stateful.asString("")));
    }
    List<FirewallRule> rules = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (JsonNode node : root.path("rules")) {
      FirewallRule rule = rule(node, rules.size() + 1);
      if (!names.add(rule.name())) {
        problems.add("rule '%s': there are two of this name".formatted(rule.name()));
      }
      rules.add(rule);
    }
    if (rules.size() > MOST_RULES) {
      problems.add("rules: %d (expected: up to %d)".formatted(rules.size(), MOST_RULES));
    }
    if (!problems.isEmpty()) {
      throw invalid(String.join("; ", problems));
    }
    return new FirewallRules(
        stateful.asBoolean(true), port == 0 ? OptionalInt.empty() : OptionalInt.of(port), rules);
  }

  private FirewallRule rule(JsonNode node, int number) {
    String name = node.path("name").asString("");
    String where = "rule " + (name.isEmpty() ? "number " + number : "'" + name + "'");
    if (!name.matches("[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")) {
      problems.add(
          where + ": name (expected: 1 to 64 letters, digits, spaces, dots, dashes, underscores)");
    }
    unknown(where + ": ", node, RULE_KEYS);
    int priority = node.path("priority").asInt(0);
    if (priority < 0 || priority > FirewallRule.TOP_PRIORITY) {
      problems.add("%s: priority: %d (expected: 0 to 4)".formatted(where, priority));
    }
    String protocol = node.path("protocol").asString("any");
    Optional<List<Integer>> protocols = protocols(protocol);
    if (protocols.isEmpty()) {
      problems.add(
          "%s: protocol: '%s' (expected: any, tcp, udp, tcp+udp, icmp, icmpv6 or 0 to 255)"
              .formatted(where, protocol));
    }
    String etherType = node.path("ether-type").asString("");
    if (!etherType.isEmpty() && !etherType.matches("0x[0-9a-fA-F]{4}")) {
      problems.add(
          "%s: ether-type: '%s' (expected: for instance \"0x88cc\")".formatted(where, etherType));
      etherType = "";
    }
    var rule =
        new FirewallRule(
            name,
            choice(where, node, "action", Action.values(), Action::label, null, Action.DENY),
            priority,
            choice(
                where,
                node,
                "direction",
                Direction.values(),
                Direction::label,
                null,
                Direction.INCOMING),
            choice(where, node, "frame", Frame.values(), Frame::label, Frame.IP, Frame.IP),
            protocols.orElse(List.of()),
            values(where, node, "source-ip", "ip", IpRange::parse),
            values(where, node, "destination-ip", "ip", IpRange::parse),
            values(where, node, "source-mac", "mac", FirewallDocument::mac),
            values(where, node, "destination-mac", "mac", FirewallDocument::mac),
            values(where, node, "source-port", "port", PortRange::parse),
            values(where, node, "destination-port", "port", PortRange::parse),
            etherType.isEmpty() ? 0 : Integer.decode(etherType),
            false);
    for (String problem : unseen(rule)) {
      problems.add(where + ": " + problem);
    }
    return rule;
  }

  /** What the hook that a rule would stand in can't see (F3). */
  private static List<String> unseen(FirewallRule rule) {
    List<String> problems = new ArrayList<>();
    boolean macs = !rule.sourceMacs().isEmpty() || !rule.destinationMacs().isEmpty();
    boolean ips = !rule.sourceIps().isEmpty() || !rule.destinationIps().isEmpty();
    boolean ports = !rule.sourcePorts().isEmpty() || !rule.destinationPorts().isEmpty();
    if (ports
        && (rule.protocols().isEmpty()
            || !List.of(FirewallRule.TCP, FirewallRule.UDP).containsAll(rule.protocols()))) {
      problems.add("ports need protocol tcp, udp or tcp+udp: others have none");
    }
    switch (rule.frame()) {
      case IP -> {
        if (macs && rule.direction() == Direction.OUTGOING) {
          problems.add(
              "a MAC address can't be seen on outgoing packets: the frame is made after the hook");
        }
        if (rule.etherType() != 0) {
          problems.add("ether-type belongs to frame other");
        }
      }
      case ARP -> {
        if (ports || !rule.protocols().isEmpty() || rule.etherType() != 0) {
          problems.add("ARP has neither protocols nor ports nor other types");
        }
        if (Stream.concat(rule.sourceIps().stream(), rule.destinationIps().stream())
            .anyMatch(IpRange::v6)) {
          problems.add("ARP carries IPv4 addresses only");
        }
      }
      case OTHER -> {
        if (rule.direction() == Direction.OUTGOING) {
          problems.add(
              "other frames can be seen when they arrive only: not every kernel in use"
                  + " has a hook for those that leave");
        }
        if (ips || ports || !rule.protocols().isEmpty()) {
          problems.add("addresses, protocols and ports of other frames can't be seen");
        }
      }
    }
    return problems;
  }

  private <T> List<T> values(
      String where, JsonNode node, String key, String kind, Function<String, Optional<T>> read) {
    List<T> values = new ArrayList<>();
    for (String item : strings(node.path(key))) {
      if (!item.startsWith("@")) {
        add(where + ": " + key, item, read, values);
        continue;
      }
      JsonNode list = root.path("lists").path(kind).path(item.substring(1));
      List<String> held = strings(list);
      if (held.isEmpty()) {
        // An empty list as no restriction would be the opposite of what is meant.
        problems.add(
            "%s: %s: %s (expected: a list below lists.%s that is not empty)"
                .formatted(where, key, item, kind));
      }
      held.forEach(value -> add("lists." + kind + "." + item.substring(1), value, read, values));
    }
    if (node.has(key) && strings(node.path(key)).isEmpty()) {
      problems.add("%s: %s: empty (expected: at least one, or leave it out)".formatted(where, key));
    }
    return values;
  }

  private <T> void add(
      String where, String text, Function<String, Optional<T>> read, List<T> values) {
    Optional<T> value = read.apply(text);
    if (value.isEmpty()) {
      String problem = "%s: '%s' can't be read".formatted(where, text);
      if (!problems.contains(problem)) {
        problems.add(problem);
      }
    }
    value.ifPresent(values::add);
  }

  private <E extends Enum<E>> E choice(
      String where,
      JsonNode node,
      String key,
      E[] values,
      Function<E, String> label,
      @Nullable E usual,
      E fallback) {
    String text = node.path(key).asString("");
    if (text.isEmpty() && usual != null) {
      return usual;
    }
    for (E value : values) {
      if (label.apply(value).equals(text)) {
        return value;
      }
    }
    problems.add(
        "%s: %s: '%s' (expected: %s)"
            .formatted(
                where, key, text, String.join(", ", Arrays.stream(values).map(label).toList())));
    return fallback;
  }

  private void unknown(String where, JsonNode node, Set<String> keys) {
    for (String key : node.propertyNames()) {
      if (!keys.contains(key)) {
        problems.add(
            "%sunknown key: %s (expected: one of %s)".formatted(where, key, new TreeSet<>(keys)));
      }
    }
  }

  private static List<String> strings(JsonNode node) {
    if (node.isMissingNode() || node.isNull()) {
      return List.of();
    }
    if (!node.isArray()) {
      return List.of(node.asString(""));
    }
    List<String> items = new ArrayList<>();
    node.forEach(item -> items.add(item.asString("")));
    return items;
  }

  private static Optional<String> mac(String text) {
    return text.matches("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
        ? Optional.of(text.toLowerCase(Locale.ROOT))
        : Optional.empty();
  }

  private static TowlineException invalid(String problem) {
    return new TowlineException(
        FIREWALL_RULES_INVALID,
        "firewall rules: " + problem,
        "correct the rules; docs/firewall.md has examples");
  }
}
