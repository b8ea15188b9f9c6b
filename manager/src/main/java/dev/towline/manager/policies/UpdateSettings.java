package dev.towline.manager.policies;

import dev.towline.runtime.policy.SettingDuration;
import dev.towline.runtime.policy.UpdatePolicy;
import dev.towline.runtime.updates.HttpSource;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.Release;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The settings of an update policy (U3). */
final class UpdateSettings {
  private static final int MOST = 16;
  private static final int LONGEST = 1000;
  private static final int FASTEST_KBIT = 100_000_000;
  private static final String DIRECTORY_OR_ADDRESS =
      "an http or https address without user, or an absolute path of a directory or share, or none";

  private UpdateSettings() {}

  /**
   * @param root by which hosts know the fleet's repository; empty when there is none
   */
  static List<Setting> all(String root) {
    return List.of(
        new Setting(
            UpdatePolicy.COMPONENTS,
            new Setting.Text(
                "components",
                "up to " + MOST + " of NAME=DIRECTORY, joined by commas, or none",
                UpdateSettings::components),
            UpdatePolicy.NONE,
            true,
            "components that a host keeps up to date, and the directory of each"),
        new Setting(
            UpdatePolicy.SOURCE,
            new Setting.Text("address", DIRECTORY_OR_ADDRESS, UpdateSettings::source),
            UpdatePolicy.NONE,
            true,
            "where a host asks for updates first"),
        new Setting(
            UpdatePolicy.USER,
            new Setting.Text("text", "text without a colon", UpdateSettings::user),
            "",
            true,
            "user at the sources that are addresses"),
        new Setting(
            UpdatePolicy.PASSWORD,
            new Setting.Text("secret", "text; it is shown to nobody", UpdateSettings::text),
            "",
            true,
            "password of that user"),
        new Setting(
            UpdatePolicy.INSTALL_SOURCE,
            new Setting.Text("address", DIRECTORY_OR_ADDRESS, UpdateSettings::source),
            UpdatePolicy.NONE,
            false,
            "where install commands of this policy fetch packages first; updates.source when none"),
        new Setting(
            UpdatePolicy.FURTHER_SOURCES,
            new Setting.Text(
                "addresses",
                "up to " + MOST + " of these, joined by commas: " + DIRECTORY_OR_ADDRESS,
                UpdateSettings::sources),
            UpdatePolicy.NONE,
            true,
            "where a host asks when the first source fails, in this order"),
        new Setting(
            UpdatePolicy.ROOT,
            new Setting.Text(
                "hash", "SHA-256 of a first root, in hexadecimal", UpdateSettings::hash),
            root,
            true,
            "the repository that is believed; this fleet's own when nothing is said"),
        new Setting(
            UpdatePolicy.INTERVAL,
            new Setting.Span(Duration.ofSeconds(10), Duration.ofDays(7)),
            SettingDuration.format(UpdatePolicy.STANDARD_INTERVAL),
            true,
            "time between two looks for updates"),
        new Setting(
            UpdatePolicy.WINDOW,
            new Setting.Span(Duration.ZERO, Duration.ofHours(24)),
            SettingDuration.format(UpdatePolicy.STANDARD_WINDOW),
            true,
            "time within which each host picks its own moment for a look"),
        new Setting(
            UpdatePolicy.BANDWIDTH,
            new Setting.Count("kbit/s", 1, FASTEST_KBIT),
            Setting.UNLIMITED,
            true,
            "how fast a host fetches updates at most"),
        new Setting(
            UpdatePolicy.MINIMUM_RATE,
            new Setting.Count("kbit/s", 0, FASTEST_KBIT),
            Integer.toString(UpdatePolicy.STANDARD_MINIMUM_KBIT),
            true,
            "what a source has to give on average over 30 s; else the next one is asked"));
  }

  private static Optional<String> components(String text) {
    if (text.equals(UpdatePolicy.NONE)) {
      return Optional.of(text);
    }
    Map<String, String> components = new LinkedHashMap<>();
    for (String pair : text.split(",", -1)) {
      int equals = pair.indexOf('=');
      String name = equals < 0 ? "" : pair.substring(0, equals).strip();
      String directory = pair.substring(equals + 1).strip();
      if (!Release.isName(name)
          || !isDirectory(directory)
          || components.containsValue(directory)
          || components.put(name, directory) != null) {
        return Optional.empty();
      }
    }
    List<String> canonical = new ArrayList<>();
    components.forEach((name, directory) -> canonical.add(name + "=" + directory));
    return components.size() > MOST ? Optional.empty() : Optional.of(String.join(",", canonical));
  }

  /** Absolute, below another one than the root of the host. */
  private static boolean isDirectory(String path) {
    return path.length() > 1
        && path.startsWith("/")
        && path.indexOf('=') < 0
        && Manifest.isSafe(path.substring(1));
  }

  private static Optional<String> source(String text) {
    boolean good =
        text.equals(UpdatePolicy.NONE)
            || (text.length() <= LONGEST
                && text.indexOf(',') < 0
                && (HttpSource.isAddress(text) || isDirectory(text)));
    return good ? Optional.of(text) : Optional.empty();
  }

  private static Optional<String> sources(String text) {
    List<String> sources = new ArrayList<>();
    for (String part : text.split(",", -1)) {
      Optional<String> source = source(part.strip());
      if (source.isEmpty() || sources.size() == MOST) {
        return Optional.empty();
      }
      if (!source.get().equals(UpdatePolicy.NONE)) {
        sources.add(source.get());
      }
    }
    return Optional.of(sources.isEmpty() ? UpdatePolicy.NONE : String.join(",", sources));
  }

  private static Optional<String> user(String text) {
    return text.indexOf(':') < 0 ? text(text) : Optional.empty();
  }

  private static Optional<String> text(String text) {
    return text.length() <= LONGEST && text.chars().noneMatch(Character::isISOControl)
        ? Optional.of(text)
        : Optional.empty();
  }

  private static Optional<String> hash(String text) {
    return text.matches("[0-9a-f]{64}") ? Optional.of(text) : Optional.empty();
  }
}
