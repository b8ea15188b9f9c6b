package dev.towline.manager.policies;

import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.policy.SettingDuration;
import dev.towline.runtime.policy.UpdatePolicy;
import dev.towline.runtime.tls.ServerAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * One thing that a policy can say.
 *
 * @param standard what holds when no level says anything, in the form in which values are written
 * @param onHost it travels to the hosts; otherwise only the manager goes by it
 */
public record Setting(String name, Type type, String standard, boolean onHost, String description) {
  /** What stands for no limit in a number. */
  public static final String UNLIMITED = "unlimited";

  /** Which values there are. */
  public sealed interface Type {
    /** The value as it is written everywhere; empty when it is none of the allowed ones. */
    Optional<String> canonical(String text);

    String label();

    String unit();

    String allowed();
  }

  /** A time from the least to the most. */
  public record Span(Duration least, Duration most) implements Type {
    @Override
    public Optional<String> canonical(String text) {
      return SettingDuration.parse(text)
          .filter(d -> d.compareTo(least) >= 0 && d.compareTo(most) <= 0)
          .map(SettingDuration::format);
    }

    @Override
    public String label() {
      return "duration";
    }

    @Override
    public String unit() {
      return "s, m, h";
    }

    @Override
    public String allowed() {
      return SettingDuration.format(least) + " to " + SettingDuration.format(most);
    }
  }

  /** A whole number from 0, or no limit. */
  public record Count(String unit, int least, int most) implements Type {
    @Override
    public Optional<String> canonical(String text) {
      if (text.equals(UNLIMITED)) {
        return Optional.of(text);
      }
      try {
        int number = Integer.parseInt(text);
        return number < least || number > most
            ? Optional.empty()
            : Optional.of(Integer.toString(number));
      } catch (NumberFormatException _) {
        return Optional.empty();
      }
    }

    @Override
    public String label() {
      return "number";
    }

    @Override
    public String allowed() {
      return least + " to " + most + ", or " + UNLIMITED;
    }
  }

  /** One of a few words. */
  public record Choice(List<String> words) implements Type {
    public Choice {
      words = List.copyOf(words);
    }

    @Override
    public Optional<String> canonical(String text) {
      return words.contains(text) ? Optional.of(text) : Optional.empty();
    }

    @Override
    public String label() {
      return "choice";
    }

    @Override
    public String unit() {
      return "";
    }

    @Override
    public String allowed() {
      return String.join(", ", words);
    }
  }

  /** Absolute paths with commas between them, or none. */
  public record Files(int most) implements Type {
    private static final int LONGEST = 1000;

    @Override
    public Optional<String> canonical(String text) {
      if (text.equals(EffectivePolicy.NO_FILES)) {
        return Optional.of(text);
      }
      List<String> files = Stream.of(text.split(",", -1)).map(String::strip).distinct().toList();
      boolean fits =
          files.size() <= most
              && files.stream()
                  .allMatch(file ->
                      file.startsWith("/")
                          && file.length() <= LONGEST
                          && file.chars().noneMatch(Character::isISOControl));
      return fits ? Optional.of(String.join(",", files)) : Optional.empty();
    }

    @Override
    public String label() {
      return "files";
    }

    @Override
    public String unit() {
      return "";
    }

    @Override
    public String allowed() {
      return "up to " + most + " absolute paths with commas between them, or none";
    }
  }

  /** A port; with a least of 0 that is none. */
  public record Port(int least) implements Type {
    private static final int LAST = 65_535;

    @Override
    public Optional<String> canonical(String text) {
      return text.matches("\\d{1,5}")
              && Integer.parseInt(text) >= least
              && Integer.parseInt(text) <= LAST
          ? Optional.of(Integer.toString(Integer.parseInt(text)))
          : Optional.empty();
    }

    @Override
    public String label() {
      return "port";
    }

    @Override
    public String unit() {
      return "";
    }

    @Override
    public String allowed() {
      return least + " to " + LAST;
    }
  }

  /**
   * YAML, kept as JSON on one line: what a text says, not how it is indented, makes a difference.
   *
   * @param allowed in words
   */
  public record Tree(boolean isList, String allowed) implements Type {
    private static final YAMLMapper YAML = YAMLMapper.builder().build();

    @Override
    public Optional<String> canonical(String text) {
      try {
        JsonNode root = YAML.readTree(text);
        boolean isRight = isList ? root.isArray() : root.isObject();
        return isRight ? Optional.of(root.toString()) : Optional.empty();
      } catch (JacksonException _) {
        return Optional.empty();
      }
    }

    /** What a document shows in the place of the text. */
    static Optional<JsonNode> shown(String value) {
      return value.startsWith("[") || value.startsWith("{")
          ? Optional.of(YAML.readTree(value))
          : Optional.empty();
    }

    @Override
    public String label() {
      return isList ? "list" : "map";
    }

    @Override
    public String unit() {
      return "";
    }
  }

  /** Addresses in their order, each host or host:port. */
  public record Addresses() implements Type {
    private static final int MOST = 8;

    @Override
    public Optional<String> canonical(String text) {
      List<String> given =
          Arrays.stream(text.split(",")).map(String::strip).filter(s -> !s.isEmpty()).toList();
      boolean good =
          !given.isEmpty()
              && given.size() <= MOST
              && given.stream()
                  .allMatch(address ->
                      ServerAddress.parse(address).isPresent()
                          || (!address.contains(" ")
                              && ServerAddress.parse(address + ":1").isPresent()));
      return good ? Optional.of(String.join(",", given)) : Optional.empty();
    }

    @Override
    public String label() {
      return "addresses";
    }

    @Override
    public String unit() {
      return "";
    }

    @Override
    public String allowed() {
      return "up to " + MOST + " of HOST or HOST:PORT, joined by commas";
    }
  }

  /** Text of a form of its own. */
  public record Text(String label, String allowed, Function<String, Optional<String>> form)
      implements Type {
    @Override
    public Optional<String> canonical(String text) {
      return form.apply(text);
    }

    @Override
    public String unit() {
      return "";
    }
  }

  /** A value as people see it. */
  public static String shown(String name, String value) {
    return UpdatePolicy.isSecret(name) && !value.isEmpty() ? UpdatePolicy.HIDDEN : value;
  }

  /** Yes or no. */
  public record Switch() implements Type {
    @Override
    public Optional<String> canonical(String text) {
      return switch (text) {
        case "yes", "true", "on" -> Optional.of("yes");
        case "no", "false", "off" -> Optional.of("no");
        default -> Optional.empty();
      };
    }

    @Override
    public String label() {
      return "switch";
    }

    @Override
    public String unit() {
      return "";
    }

    @Override
    public String allowed() {
      return "yes or no";
    }
  }
}
