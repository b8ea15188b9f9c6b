package dev.towline.runtime.firewall;

/** What happens to a packet, in order, until one of them decides. */
sealed interface Step {
  /** A user's rule or a hidden one. */
  record OfRule(FirewallRule rule) implements Step {}

  /** Packets of connections that were let through pass. */
  record Established() implements Step {}

  /** Without neighbour discovery there is no IPv6, so the denial of the rest leaves it alone. */
  record NeighbourDiscovery() implements Step {}

  /** The hidden rule was replaced: whom the new ones don't name can't call (F2). */
  record AgentPortOthers(int port) implements Step {}

  /** There are allow rules, and none matched. */
  record DenyRest() implements Step {}
}
