package dev.towline.runtime.directive;

import java.util.Locale;

/** Why a receiver doesn't carry out what it was sent. */
public enum DirectiveRefusal {
  /** Not signed by a manager of the fleet. */
  FORGED,
  /** Statement or content differ from what was signed. */
  ALTERED,
  /** Its sequence was accepted before. */
  REPLAYED,
  /** Not the next one, or not after the one that it names. */
  REORDERED,
  /** Meant for another receiver. */
  REDIRECTED,
  /** Outside its time. */
  EXPIRED,
  /** Signed for another session of this receiver. */
  STALE_SESSION;

  /** The code in a receipt: {@code DIRECTIVE_FORGED}. */
  public String code() {
    return "DIRECTIVE_" + name();
  }

  /** The name of the security event: {@code directive.forged}. */
  public String event() {
    return "directive." + name().toLowerCase(Locale.ROOT);
  }
}
