package dev.towline.cli.output;

import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Amounts with units, as people write and read them. */
public final class Quantities {
  private static final Pattern FORM = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([A-Za-z/]*)");
  private static final Map<String, Double> RATES =
      Map.of("bit/s", 1.0, "kbit/s", 1e3, "mbit/s", 1e6, "gbit/s", 1e9);
  private static final Map<String, Double> SIZES =
      Map.of(
          "b",
          1.0,
          "kb",
          1e3,
          "mb",
          1e6,
          "gb",
          1e9,
          "tb",
          1e12,
          "kib",
          1024.0,
          "mib",
          1048576.0,
          "gib",
          1073741824.0);

  private Quantities() {}

  /** {@code 2Mbit/s}; {@code unlimited} is 0. */
  public static final class BitRate implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      return text.equals("unlimited") ? 0L : parse(text, RATES, "2Mbit/s or unlimited");
    }
  }

  /** {@code 10GB}. */
  public static final class Size implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      return parse(text, SIZES, "10GB");
    }
  }

  private static long parse(String text, Map<String, Double> units, String example) {
    Matcher form = FORM.matcher(text.strip());
    Double unit = form.matches() ? units.get(form.group(2).toLowerCase(Locale.ROOT)) : null;
    if (unit == null) {
      throw new TypeConversionException(
          "'%s' is not an amount with a unit (expected: for instance %s)".formatted(text, example));
    }
    return Math.round(Double.parseDouble(form.group(1)) * unit);
  }

  /** For instance {@code 2.1 Mbit/s}. */
  public static String bitRate(long bitsPerSecond) {
    return scaled(bitsPerSecond, "bit/s", "kbit/s", "Mbit/s", "Gbit/s");
  }

  /** For instance {@code 10 GB}. */
  public static String size(long bytes) {
    return scaled(bytes, "B", "kB", "MB", "GB", "TB");
  }

  private static String scaled(long amount, String... units) {
    double value = amount;
    int unit = 0;
    while (value >= 999.95 && unit < units.length - 1) {
      value /= 1000;
      unit++;
    }
    String number = String.format(Locale.ROOT, value < 10 && unit > 0 ? "%.1f" : "%.0f", value);
    return number.replaceAll("\\.0$", "") + " " + units[unit];
  }
}
