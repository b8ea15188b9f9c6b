package dev.towline.runtime.firewall;

import dev.towline.runtime.firewall.FirewallRule.Action;
import dev.towline.runtime.firewall.FirewallRule.Direction;
import dev.towline.runtime.firewall.FirewallRule.Frame;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;

/**
 * A whole rule set and the order in which it acts.
 *
 * @param stateful packets of connections that were let through pass
 * @param agentPort where the agent listens; empty: nowhere, then there is no hidden rule (F1)
 */
public record FirewallRules(boolean stateful, OptionalInt agentPort, List<FirewallRule> rules) {
  public FirewallRules {
    rules = List.copyOf(rules);
  }

  /** The same rules with another port open to everybody (F1), unless one of them is for it (F2). */
  public FirewallRules alsoOpen(int port) {
    var there = new FirewallRules(stateful, OptionalInt.of(port), rules);
    if (there.equals(this) || there.isAgentPortReplaced()) {
      return this;
    }
    List<FirewallRule> more = new ArrayList<>(rules);
    more.add(FirewallRule.agentPort(port));
    more.add(FirewallRule.agentPortReplies(port));
    return new FirewallRules(stateful, agentPort, more);
  }

  /** What would happen to a packet. */
  public Verdict test(Packet packet) {
    List<String> logged = new ArrayList<>();
    for (Step step : steps(packet.direction(), packet.frame())) {
      switch (step) {
        case Step.OfRule(FirewallRule rule) when rule.matches(packet) -> {
          switch (rule.action()) {
            case LOG_ONLY -> logged.add(rule.name());
            case BYPASS, FORCE_ALLOW, ALLOW -> {
              return new Verdict(true, described(rule), logged);
            }
            case DENY -> {
              return new Verdict(false, described(rule), logged);
            }
          }
        }
        case Step.Established() when packet.established() -> {
          return new Verdict(true, "it belongs to a connection that was let through", logged);
        }
        case Step.AgentPortOthers(int port)
            when packet.protocol() == FirewallRule.TCP && packet.destinationPort() == port -> {
          return new Verdict(
              false, "a rule took the place of the hidden one, and does not match", logged);
        }
        case Step.DenyRest() -> {
          return new Verdict(
              false,
              "there are allow rules for %s %s, and none matches"
                  .formatted(packet.direction().label(), packet.frame().label()),
              logged);
        }
        case Step.OfRule _, Step.Established _, Step.AgentPortOthers _ -> {}
        // A packet of `firewall test` has no ICMP type.
        case Step.NeighbourDiscovery _ -> {}
      }
    }
    return new Verdict(true, "no rule matches", logged);
  }

  /** The rules with the hidden ones that are in force, in the order in which they act. */
  public List<FirewallRule> inForce() {
    List<FirewallRule> all = new ArrayList<>();
    if (agentPort.isPresent()) {
      if (!isAgentPortReplaced()) {
        all.add(FirewallRule.agentPort(agentPort.getAsInt()));
      }
      all.add(FirewallRule.agentPortReplies(agentPort.getAsInt()));
    }
    all.addAll(rules);
    all.sort(
        Comparator.comparingInt(FirewallRule::priority)
            .reversed()
            .thenComparing(FirewallRule::action));
    return all;
  }

  /** A user's rule stands in the place of the hidden one (F2). */
  public boolean isAgentPortReplaced() {
    return agentPort.isPresent()
        && rules.stream().anyMatch(rule -> rule.replacesAgentPort(agentPort.getAsInt()));
  }

  boolean has(Frame frame) {
    return rules.stream().anyMatch(rule -> rule.frame() == frame);
  }

  List<Step> steps(Direction direction, Frame frame) {
    List<FirewallRule> seen =
        inForce().stream()
            .filter(rule -> rule.direction() == direction && rule.frame() == frame)
            .toList();
    List<Step> steps = new ArrayList<>();
    seen.stream()
        .filter(rule -> rule.priority() == FirewallRule.TOP_PRIORITY)
        .map(Step.OfRule::new)
        .forEach(steps::add);
    if (stateful && frame == Frame.IP) {
      steps.add(new Step.Established());
    }
    seen.stream()
        .filter(rule -> rule.priority() < FirewallRule.TOP_PRIORITY)
        .map(Step.OfRule::new)
        .forEach(steps::add);
    if (frame == Frame.IP && direction == Direction.INCOMING && isAgentPortReplaced()) {
      steps.add(new Step.AgentPortOthers(agentPort.orElseThrow()));
    }
    if (seen.stream().anyMatch(rule -> rule.action() == Action.ALLOW)) {
      if (frame == Frame.IP) {
        steps.add(new Step.NeighbourDiscovery());
      }
      steps.add(new Step.DenyRest());
    }
    return steps;
  }

  private static String described(FirewallRule rule) {
    return "rule '%s' (%s, priority %d)"
        .formatted(rule.name(), rule.action().label(), rule.priority());
  }
}
