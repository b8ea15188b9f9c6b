package dev.towline.agent;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

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
  static final ErrorCode INVALID = ErrorCode.user("CONFIGURATION_INVALID");

  private static final Map<String, String> DEFAULTS =
      Map.of(
          "data", "/var/lib/towline/agent",
          "enrollment", "",
          "name", "",
          "concurrent-actions", "4",
          "own-log", "true",
          "log-files", "",
          "log-megabytes", "16");
  private static final List<String> KEYS =
      List.of(
          "data",
          "enrollment",
          "name",
          "concurrent-actions",
          "own-log",
          "log-files",
          "log-megabytes");
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

  private static int number(Map<String, Origin> resolved, String key, int most) {
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

  private static boolean flag(Map<String, Origin> resolved, String key) {
    String text = value(resolved, key);
    if (!text.equals("true") && !text.equals("false")) {
      throw invalid(key, text, "true or false");
    }
    return text.equals("true");
  }

  private static TowlineException invalid(String key, String value, String expected) {
    return new TowlineException(
        INVALID,
        "%s: '%s' (expected: %s)".formatted(key, value, expected),
        "correct it where 'config show' says it comes from");
  }

  private static String value(Map<String, Origin> resolved, String key) {
    Origin origin = resolved.get(key);
    return origin == null ? "" : origin.value();
  }

  /** A list stands for its items with commas between them. */
  private static String text(JsonNode value) {
    return value.isArray()
        ? value.values().stream().map(item -> item.asString("")).collect(Collectors.joining(","))
        : value.asString("");
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
        values.put(key, text(root.path(key)));
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
