package dev.towline.runtime.firewall;

import dev.towline.runtime.policy.EffectivePolicy;
import java.util.Map;
import java.util.Optional;

/**
 * The settings of a policy that are about the firewall, and the rule set that follows from them.
 */
public final class FirewallPolicy {
  /** {@code yes}: the policy says which rules are in force, and nobody else. */
  public static final String ON = "firewall.on";

  public static final String STATEFUL = "firewall.stateful";
  public static final String LISTS = "firewall.lists";
  public static final String RULES = "firewall.rules";

  private FirewallPolicy() {}

  /**
   * What {@link FirewallDocument} reads; empty when the policy leaves the firewall alone.
   *
   * @param policy what it does not say has its default; the port of the agent is where it listens
   */
  public static Optional<String> document(EffectivePolicy policy) {
    Map<String, String> settings = policy.settings();
    if (!"yes".equals(settings.get(ON))) {
      return Optional.empty();
    }
    return Optional.of(
        """
        stateful: %s
        agent-port: %s
        lists: %s
        rules: %s
        """
            .formatted(
                !"no".equals(settings.get(STATEFUL)),
                listening(policy),
                settings.getOrDefault(LISTS, "{}"),
                settings.getOrDefault(RULES, "[]")));
  }

  /** Where an agent with this policy listens; 0: nowhere (F1). */
  public static int listening(EffectivePolicy policy) {
    return policy.direction().listens() ? policy.listenPort() : 0;
  }
}
