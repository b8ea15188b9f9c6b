package dev.towline.runtime.config;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
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
 * Where the settings of a program come from: the command line, else the environment ({@code
 * TOWLINE_AGENT_DATA} for {@code data} of the agent), else a YAML file, else what is built in.
 */
public final class SettingSources {
  public static final ErrorCode INVALID = ErrorCode.user("CONFIGURATION_INVALID");

  private final String prefix;
  private final Map<String, String> environment;
  private final Optional<Path> file;
  private final Map<String, String> fromFile;

  /**
   * @param program as in the names of variables, for instance {@code agent}
   * @param keys of the settings that there are
   * @throws TowlineException for what the file should not hold, all of it at once
   */
  public SettingSources(
      String program,
      Collection<String> keys,
      Map<String, String> environment,
      Optional<Path> file) {
    this.prefix = "TOWLINE_" + program.toUpperCase(Locale.ROOT) + "_";
    this.environment = Map.copyOf(environment);
    this.file = file;
    this.fromFile = file.map(path -> read(path, keys)).orElse(Map.of());
  }

  /** What the environment says, else the file; empty when neither says anything. */
  public Optional<SettingValue> find(String key) {
    String variable = prefix + key.replace('-', '_').toUpperCase(Locale.ROOT);
    String set = environment.get(variable);
    if (set != null) {
      return Optional.of(new SettingValue(set, "environment " + variable));
    }
    return Optional.ofNullable(fromFile.get(key))
        .map(value -> new SettingValue(value, "file " + file.map(Path::toString).orElse("")));
  }

  /**
   * Every setting, in the order of the built-in values.
   *
   * @param flags what was given on the command line
   */
  public Map<String, SettingValue> resolve(Map<String, String> flags, Map<String, String> builtIn) {
    Map<String, SettingValue> settings = new LinkedHashMap<>();
    builtIn.forEach((key, value) -> {
      String flag = flags.get(key);
      settings.put(
          key,
          flag == null
              ? find(key).orElse(new SettingValue(value, SettingValue.DEFAULT))
              : new SettingValue(flag, SettingValue.COMMAND_LINE));
    });
    return settings;
  }

  private static Map<String, String> read(Path file, Collection<String> keys) {
    JsonNode root;
    try {
      root = YAMLMapper.builder().build().readTree(Files.readString(file));
    } catch (IOException | JacksonException e) {
      throw new TowlineException(
          INVALID,
          "configuration file can't be read: %s (%s)".formatted(file, e.getMessage()),
          "correct the file, or name another with --config",
          e);
    }
    List<String> problems = new ArrayList<>();
    Map<String, String> values = new LinkedHashMap<>();
    // Nothing but comments is no map either, and means no settings.
    if (!root.isObject() && !root.isNull() && !root.isMissingNode()) {
      problems.add("not a map of keys to values");
    }
    for (String key : new TreeSet<>(root.propertyNames())) {
      if (keys.contains(key)) {
        values.put(key, text(root.path(key)));
      } else {
        problems.add("unknown key: %s (expected: one of %s)".formatted(key, keys));
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

  /** A list stands for its items with commas between them. */
  private static String text(JsonNode value) {
    return value.isArray()
        ? value.values().stream().map(item -> item.asString("")).collect(Collectors.joining(","))
        : value.asString("");
  }
}
