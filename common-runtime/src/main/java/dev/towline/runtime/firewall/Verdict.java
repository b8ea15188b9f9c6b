package dev.towline.runtime.firewall;

import java.util.List;

/**
 * What becomes of a packet.
 *
 * @param decidedBy the rule, or what else decided
 * @param logged log-only rules that it met before
 */
public record Verdict(boolean passes, String decidedBy, List<String> logged) {
  public Verdict {
    logged = List.copyOf(logged);
  }
}
