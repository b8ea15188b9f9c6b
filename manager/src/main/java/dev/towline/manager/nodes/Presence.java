package dev.towline.manager.nodes;

import java.util.Locale;

/** Whether a node is in session, as far as the manager knows. */
public enum Presence {
  /** Enrolled, never in session. */
  NEW,
  ONLINE,
  OFFLINE,
  /** The agent was stopped, and said so. */
  STOPPED,
  /** The host was shut down, and its agent said so. */
  SHUT_DOWN,
  /** Between two contacts of the short-lived form (D3). */
  WAITING,
  /** Said goodbye for good. */
  UNINSTALLED;

  /** As the store and selectors write it. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  public static Presence ofLabel(String label) {
    return valueOf(label.toUpperCase(Locale.ROOT));
  }
}
