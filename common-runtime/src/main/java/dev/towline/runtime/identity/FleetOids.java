package dev.towline.runtime.identity;

/**
 * Extended key usages of a fleet's own, in dotted form: a certificate serves one role, or signs
 * directives.
 */
public final class FleetOids {
  private static final String BASE = "1.3.6.1.4.1.59999.1.1.";

  /** The key signs directives and revocation lists and nothing else. */
  public static final String DIRECTIVE_SIGNING = BASE + "1";

  private FleetOids() {}

  public static String ofRole(Role role) {
    return switch (role) {
      case MANAGER -> BASE + "10";
      case AGENT -> BASE + "11";
      case PROXY -> BASE + "12";
      case RELAY -> BASE + "13";
    };
  }
}
