package dev.towline.manager.logs;

import java.util.Locale;
import java.util.Optional;

/** In order of weight. */
public enum LogLevel {
  DEBUG,
  INFO,
  WARN,
  ERROR;

  /** What a host claims; anything unknown is INFO. */
  public static LogLevel claimed(String label) {
    return parse(label).orElse(INFO);
  }

  static Optional<LogLevel> parse(String label) {
    for (LogLevel level : values()) {
      if (level.name().equals(label.toUpperCase(Locale.ROOT))) {
        return Optional.of(level);
      }
    }
    return Optional.empty();
  }
}
