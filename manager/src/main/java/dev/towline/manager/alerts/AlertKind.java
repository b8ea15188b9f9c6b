package dev.towline.manager.alerts;

import java.util.Arrays;
import java.util.Locale;

/** What an alert is about. */
public enum AlertKind {
  HEARTBEATS_MISSED(true),
  AGENT_STOPPED(true),
  HOST_SHUT_DOWN(true),
  CLOCK_CHANGED(false),
  FIREWALL_ROLLED_BACK(false),
  /** Of the fleet, not of a host. */
  UPDATES_EXPIRE(true);

  private final boolean clearsItself;

  AlertKind(boolean clearsItself) {
    this.clearsItself = clearsItself;
  }

  /** Otherwise somebody has to look at it and clear it. */
  public boolean clearsItself() {
    return clearsItself;
  }

  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  public static AlertKind ofLabel(String label) {
    return Arrays.stream(values())
        .filter(kind -> kind.label().equals(label))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("kind of alert: " + label));
  }
}
