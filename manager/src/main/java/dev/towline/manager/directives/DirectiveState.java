package dev.towline.manager.directives;

import java.util.Locale;

/** How far a directive has come. */
public enum DirectiveState {
  QUEUED,
  /** Sent, or about to be: the target may have it. */
  DELIVERED,
  ACCEPTED,
  RUNNING,
  /** A result is stored, or it was withdrawn; see the outcome. */
  ENDED,
  REFUSED,
  EXPIRED;

  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  public static DirectiveState ofLabel(String label) {
    return valueOf(label.toUpperCase(Locale.ROOT));
  }
}
