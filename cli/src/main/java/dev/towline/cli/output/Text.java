package dev.towline.cli.output;

/** Text of other machines on an operator's terminal. */
public final class Text {
  private Text() {}

  /** Control characters, escape sequences with them, replaced by a question mark. */
  public static String printable(String text) {
    var safe = new StringBuilder(text.length());
    text.codePoints()
        .map(c -> Character.isISOControl(c) && c != '\t' ? '?' : c)
        .forEach(safe::appendCodePoint);
    return safe.toString();
  }

  /** {@code DIRECT} and {@code HOST_STATE_ONLINE} with prefix {@code HOST_STATE_} in lower case. */
  public static String label(Enum<?> value, String prefix) {
    String name = value.name();
    return (name.startsWith(prefix) ? name.substring(prefix.length()) : name)
        .toLowerCase(java.util.Locale.ROOT)
        .replace('_', '-');
  }

  /** At most so many characters, with an ellipsis where some are missing. */
  public static String shortened(String text, int most) {
    return text.length() <= most ? text : text.substring(0, most - 1) + "…";
  }

  /** {@code 1 host}, {@code 2 hosts}. */
  public static String count(int number, String noun) {
    return number + " " + noun + (number == 1 ? "" : "s");
  }
}
