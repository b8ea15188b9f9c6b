package dev.towline.agent;

import dev.towline.runtime.config.SettingSources;
import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.error.TowlineException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The agent's settings: from the command line, else the environment ({@code TOWLINE_AGENT_DATA}),
 * else the file, else what is built in. What a manager decides is not among them.
 */
record AgentSettings(
    Path data,
    Optional<Path> enrollment,
    String name,
    int concurrentActions,
    boolean ownLog,
    List<Path> logFiles,
    int logMegabytes) {
  private static final Map<String, String> BUILT_IN = builtIn();

  /** Key and built-in value, in the order in which they are shown. */
  private static Map<String, String> builtIn() {
    Map<String, String> all = new LinkedHashMap<>();
    all.put("data", "/var/lib/towline/agent");
    all.put("enrollment", "");
    all.put("name", "");
    all.put("concurrent-actions", "4");
    all.put("own-log", "true");
    all.put("log-files", "");
    all.put("log-megabytes", "16");
    return all;
  }

  /**
   * Every setting with where it came from, in the order in which they are shown.
   *
   * @param flags what was given on the command line
   * @throws TowlineException for what the file should not hold, all of it at once
   */
  static Map<String, SettingValue> resolve(
      Map<String, String> flags, Map<String, String> environment, Optional<Path> file) {
    return new SettingSources("agent", BUILT_IN.keySet(), environment, file)
        .resolve(flags, BUILT_IN);
  }

  static AgentSettings of(Map<String, SettingValue> resolved) {
    String enrollment = value(resolved, "enrollment");
    return new AgentSettings(
        Path.of(value(resolved, "data")),
        enrollment.isEmpty() ? Optional.empty() : Optional.of(Path.of(enrollment)),
        value(resolved, "name"),
        number(resolved, "concurrent-actions", 64),
        flag(resolved, "own-log"),
        Arrays.stream(value(resolved, "log-files").split(","))
            .map(String::strip)
            .filter(file -> !file.isEmpty())
            .map(file -> Path.of(file).toAbsolutePath())
            .toList(),
        number(resolved, "log-megabytes", 100_000));
  }

  private static int number(Map<String, SettingValue> resolved, String key, int most) {
    String text = value(resolved, key);
    int number;
    try {
      number = Integer.parseInt(text);
    } catch (NumberFormatException e) {
      number = 0;
    }
    if (number < 1 || number > most) {
      throw invalid(key, text, "1 to " + most);
    }
    return number;
  }

  private static boolean flag(Map<String, SettingValue> resolved, String key) {
    String text = value(resolved, key);
    if (!text.equals("true") && !text.equals("false")) {
      throw invalid(key, text, "true or false");
    }
    return text.equals("true");
  }

  private static TowlineException invalid(String key, String value, String expected) {
    return new TowlineException(
        SettingSources.INVALID,
        "%s: '%s' (expected: %s)".formatted(key, value, expected),
        "correct it where 'config show' says it comes from");
  }

  private static String value(Map<String, SettingValue> resolved, String key) {
    SettingValue setting = resolved.get(key);
    return setting == null ? "" : setting.value();
  }
}
