package dev.towline.agent;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * The agent's settings: from the command line, else the environment ({@code TOWLINE_AGENT_DATA}),
 * else the file, else what is built in. What a manager decides is not among them.
 */
record AgentSettings(Path data, Optional<Path> enrollment, String name, int concurrentActions) {
  static final ErrorCode INVALID = ErrorCode.user("CONFIGURATION_INVALID");

  private static final Map<String, String> DEFAULTS =
      Map.of(
          "data", "/var/lib/towline/agent",
          "enrollment", "",
          "name", "",
          "concurrent-actions", "4");
  private static final List<String> KEYS =
      List.of("data", "enrollment", "name", "concurrent-actions");
  private static final String PREFIX = "TOWLINE_AGENT_";

  /** A value and where it came from. */
  record Origin(String value, String source) {}

  /**
   * Every setting with its origin, in the order in which they are shown.
   *
   * @param flags what was given on the command line
   * @throws TowlineException for what the file should not hold, all of it at once
   */
  static Map<String, Origin> resolve(
      Map<String, String> flags, Map<String, String> environment, Optional<Path> file) {
    Map<String, String> fromFile = file.map(AgentSettings::read).orElse(Map.of());
    Map<String, Origin> settings = new LinkedHashMap<>();
    for (String key : KEYS) {
      String variable = PREFIX + key.replace('-', '_').toUpperCase(Locale.ROOT);
      Origin origin;
      if (flags.containsKey(key)) {
        origin = new Origin(flags.get(key), "command line");
      } else if (environment.containsKey(variable)) {
        origin = new Origin(environment.get(variable), "environment " + variable);
      } else if (fromFile.containsKey(key)) {
        origin = new Origin(fromFile.get(key), "file " + file.map(Path::toString).orElse(""));
      } else {
        origin = new Origin(DEFAULTS.getOrDefault(key, ""), "default");
      }
      settings.put(key, origin);
    }
    return settings;
  }

  static AgentSettings of(Map<String, Origin> resolved) {
    String enrollment = value(resolved, "enrollment");
    String actions = value(resolved, "concurrent-actions");
    int concurrent;
    try {
      concurrent = Integer.parseInt(actions);
    } catch (NumberFormatException e) {
      concurrent = 0;
    }
    if (concurrent < 1 || concurrent > 64) {
      throw new TowlineException(
          INVALID,
          "concurrent-actions: '%s' (expected: 1 to 64)".formatted(actions),
          "correct it where 'config show' says it comes from");
    }
    return new AgentSettings(
        Path.of(value(resolved, "data")),
        enrollment.isEmpty() ? Optional.empty() : Optional.of(Path.of(enrollment)),
        value(resolved, "name"),
        concurrent);
  }

  private static String value(Map<String, Origin> resolved, String key) {
    Origin origin = resolved.get(key);
    return origin == null ? "" : origin.value();
  }

  private static Map<String, String> read(Path file) {
    JsonNode root;
    try {
      root = YAMLMapper.builder().build().readTree(Files.readString(file));
    } catch (IOException | JacksonException e) {
      throw new TowlineException(
          INVALID,
          "configuration file can't be read: %s (%s)".formatted(file, e.getMessage()),
          "correct the file, or start without --config",
          e);
    }
    List<String> problems = new ArrayList<>();
    Map<String, String> values = new LinkedHashMap<>();
    if (!root.isObject() && !root.isNull() && !root.isMissingNode()) {
      problems.add("not a map of keys to values");
    }
    for (String key : new TreeSet<>(root.propertyNames())) {
      if (!KEYS.contains(key)) {
        problems.add("unknown key: %s (expected: one of %s)".formatted(key, KEYS));
      } else {
        values.put(key, root.path(key).asString(""));
      }
    }
    if (!problems.isEmpty()) {
      throw new TowlineException(
          INVALID,
          "configuration file %s: %s".formatted(file, String.join("; ", problems)),
          "correct the file");
    }
    return values;
  }
}
