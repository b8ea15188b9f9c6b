package dev.towline.cli.output;

import java.time.Duration;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Durations as people write them: {@code 90s}, {@code 24h}, {@code 1h30m}, {@code 7d}. */
public final class Durations implements ITypeConverter<Duration> {
  private static final Pattern WHOLE = Pattern.compile("(\\d+(ms|s|m|h|d))+");
  private static final Pattern PART = Pattern.compile("(\\d+)(ms|s|m|h|d)");

  @Override
  public Duration convert(String text) {
    return parse(text)
        .orElseThrow(() ->
            new TypeConversionException(
                "'" + text + "' is not a duration (expected: for instance 90s, 15m, 24h, 7d)"));
  }

  /** Empty when the text is no duration. */
  public static Optional<Duration> parse(String text) {
    if (!WHOLE.matcher(text).matches()) {
      return Optional.empty();
    }
    Duration sum = Duration.ZERO;
    Matcher parts = PART.matcher(text);
    try {
      while (parts.find()) {
        long number = Long.parseLong(parts.group(1));
        sum =
            sum.plus(
                switch (parts.group(2)) {
                  case "ms" -> Duration.ofMillis(number);
                  case "s" -> Duration.ofSeconds(number);
                  case "m" -> Duration.ofMinutes(number);
                  case "h" -> Duration.ofHours(number);
                  default -> Duration.ofDays(number);
                });
      }
    } catch (NumberFormatException | ArithmeticException _) {
      return Optional.empty();
    }
    return Optional.of(sum);
  }

  /** The two largest units, for instance {@code 3d 4h}, {@code 12s}. */
  public static String describe(Duration duration) {
    Duration d = duration.isNegative() ? Duration.ZERO : duration;
    if (d.toDays() > 0) {
      return d.toDays() + "d" + (d.toHoursPart() > 0 ? " " + d.toHoursPart() + "h" : "");
    }
    if (d.toHours() > 0) {
      return d.toHours() + "h" + (d.toMinutesPart() > 0 ? " " + d.toMinutesPart() + "m" : "");
    }
    if (d.toMinutes() > 0) {
      return d.toMinutes() + "m" + (d.toSecondsPart() > 0 ? " " + d.toSecondsPart() + "s" : "");
    }
    return d.toSeconds() + "s";
  }
}
