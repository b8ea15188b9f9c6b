package dev.towline.runtime.firewall;

import java.util.Map;
import java.util.Optional;

/**
 * The settings of a policy that are about the firewall, and the rule set that follows from them.
 */
public final class FirewallPolicy {
  /** {@code yes}: the policy says which rules are in force, and nobody else. */
  public static final String ON = "firewall.on";

  public static final String STATEFUL = "firewall.stateful";
  public static final String AGENT_PORT = "firewall.agent-port";
  public static final String LISTS = "firewall.lists";
  public static final String RULES = "firewall.rules";

  private FirewallPolicy() {}

  /**
   * What {@link FirewallDocument} reads; empty when the policy leaves the firewall alone.
   *
   * @param settings those of the effective policy; what is missing has its default
   */
  public static Optional<String> document(Map<String, String> settings) {
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
                settings.getOrDefault(AGENT_PORT, "0"),
                settings.getOrDefault(LISTS, "{}"),
                settings.getOrDefault(RULES, "[]")));
  }
}
