package dev.towline.manager.access;

import java.util.Locale;

/** What a user may do. */
public enum UserRole {
  /** Everything. */
  ADMINISTRATOR;

  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  public static UserRole ofLabel(String label) {
    return valueOf(label.toUpperCase(Locale.ROOT));
  }
}
