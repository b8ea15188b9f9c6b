package dev.towline.manager.policies;

import dev.towline.runtime.policy.SettingDuration;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

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
