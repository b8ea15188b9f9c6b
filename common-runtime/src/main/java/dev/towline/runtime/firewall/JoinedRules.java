package dev.towline.runtime.firewall;

import dev.towline.runtime.firewall.FirewallRule.Action;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Fewer rules that do the same: neighbours that decide alike act in any order, so those that differ
 * in one kind of value become one rule with all of their values. The kernel looks a value up in one
 * set, instead of asking a thousand rules.
 */
final class JoinedRules {
  /** Ends the name of what several rules became. */
  static final String MORE = " and more";

  /** What rules may differ in. */
  private enum Part {
    SOURCE_IPS,
    DESTINATION_IPS,
    DESTINATION_PORTS,
    SOURCE_PORTS,
    PROTOCOLS,
    SOURCE_MACS,
    DESTINATION_MACS
  }

  private JoinedRules() {}

  /** The same steps with neighbours joined. */
  static List<Step> of(List<Step> steps) {
    List<Step> joined = new ArrayList<>();
    List<FirewallRule> alike = new ArrayList<>();
    for (Step step : steps) {
      if (!(step instanceof Step.OfRule(FirewallRule rule)) || !decides(rule)) {
        flush(alike, joined);
        joined.add(step);
        continue;
      }
      if (!alike.isEmpty() && passes(alike.getFirst()) != passes(rule)) {
        flush(alike, joined);
      }
      alike.add(rule);
    }
    flush(alike, joined);
    return joined;
  }

  private static boolean decides(FirewallRule rule) {
    return rule.action() != Action.LOG_ONLY;
  }

  private static boolean passes(FirewallRule rule) {
    return rule.action() != Action.DENY;
  }

  private static void flush(List<FirewallRule> alike, List<Step> joined) {
    List<FirewallRule> rules = List.copyOf(alike);
    for (Part part : Part.values()) {
      rules = joined(rules, part);
    }
    rules.stream().map(Step.OfRule::new).forEach(joined::add);
    alike.clear();
  }

  private static List<FirewallRule> joined(List<FirewallRule> rules, Part part) {
    Map<FirewallRule, List<FirewallRule>> same = new LinkedHashMap<>();
    for (FirewallRule rule : rules) {
      same.computeIfAbsent(without(rule, part), _ -> new ArrayList<>()).add(rule);
    }
    return same.values().stream().map(JoinedRules::joined).toList();
  }

  /** What has to be equal for rules to be joined that differ in a part. */
  private static FirewallRule without(FirewallRule rule, Part part) {
    return new FirewallRule(
        "",
        passes(rule) ? Action.FORCE_ALLOW : Action.DENY,
        0,
        rule.direction(),
        rule.frame(),
        part == Part.PROTOCOLS ? List.of() : rule.protocols(),
        part == Part.SOURCE_IPS ? List.of() : rule.sourceIps(),
        part == Part.DESTINATION_IPS ? List.of() : rule.destinationIps(),
        part == Part.SOURCE_MACS ? List.of() : rule.sourceMacs(),
        part == Part.DESTINATION_MACS ? List.of() : rule.destinationMacs(),
        part == Part.SOURCE_PORTS ? List.of() : rule.sourcePorts(),
        part == Part.DESTINATION_PORTS ? List.of() : rule.destinationPorts(),
        rule.etherType(),
        rule.hidden());
  }

  /** They are equal in all parts but one, so joining all parts joins that one. */
  private static FirewallRule joined(List<FirewallRule> rules) {
    FirewallRule first = rules.getFirst();
    if (rules.size() == 1) {
      return first;
    }
    return new FirewallRule(
        more(first.name()),
        first.action(),
        first.priority(),
        first.direction(),
        first.frame(),
        all(rules, FirewallRule::protocols),
        all(rules, FirewallRule::sourceIps),
        all(rules, FirewallRule::destinationIps),
        all(rules, FirewallRule::sourceMacs),
        all(rules, FirewallRule::destinationMacs),
        all(rules, FirewallRule::sourcePorts),
        all(rules, FirewallRule::destinationPorts),
        first.etherType(),
        first.hidden());
  }

  /** Joined rules may be joined again. */
  static String more(String first) {
    return first.endsWith(MORE) ? first : first + MORE;
  }

  private static <T> List<T> all(List<FirewallRule> rules, Function<FirewallRule, List<T>> values) {
    Set<T> all = new LinkedHashSet<>();
    for (FirewallRule rule : rules) {
      Collection<T> some = values.apply(rule);
      if (some.isEmpty()) {
        // No restriction.
        return List.of();
      }
      all.addAll(some);
    }
    return List.copyOf(all);
  }
}
