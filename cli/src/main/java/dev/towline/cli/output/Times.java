package dev.towline.cli.output;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** Times of the wire, milliseconds since 1970, as people read them. */
public final class Times {
  private static final DateTimeFormatter FORMAT =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss 'UTC'").withZone(ZoneOffset.UTC);

  private Times() {}

  /** For instance {@code 12s ago}; a dash when there is none. */
  public static String ago(long ms, Instant now) {
    if (ms == 0) {
      return "-";
    }
    Duration age = Duration.between(Instant.ofEpochMilli(ms), now);
    return age.toSeconds() < 1 ? "now" : Durations.describe(age) + " ago";
  }

  /** For instance {@code in 23h 59m}, {@code expired 2m ago}. */
  public static String until(long ms, Instant now) {
    if (ms == 0) {
      return "-";
    }
    Duration left = Duration.between(now, Instant.ofEpochMilli(ms));
    return left.isNegative() || left.isZero()
        ? "expired " + ago(ms, now)
        : "in " + Durations.describe(left.toHours() > 0 ? left.plusSeconds(30) : left);
  }

  public static String at(long ms) {
    return ms == 0 ? "-" : FORMAT.format(Instant.ofEpochMilli(ms));
  }
}
