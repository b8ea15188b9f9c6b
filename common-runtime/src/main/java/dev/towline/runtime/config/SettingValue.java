package dev.towline.runtime.config;

/**
 * The value of a setting and where it came from.
 *
 * @param source in words: {@code command line}, {@code environment NAME}, {@code file PATH}, {@code
 *     default} and so on
 */
public record SettingValue(String value, String source) {
  public static final String COMMAND_LINE = "command line";
  public static final String DEFAULT = "default";

  /** The source without its place: default, file, manager and so on. */
  public String kind() {
    return source.equals(COMMAND_LINE) ? source : source.split(" ", 2)[0];
  }
}
