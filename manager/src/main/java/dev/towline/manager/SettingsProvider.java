package dev.towline.manager;

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
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * Settings that the command line leaves out: from the environment ({@code TOWLINE_MANAGER_DATA}),
 * else the file, else what is built in.
 */
final class SettingsProvider implements IDefaultValueProvider {
  static final ErrorCode INVALID = ErrorCode.user("CONFIGURATION_INVALID");

  private static final Path USUAL_FILE = Path.of("/etc/towline/manager.yaml");
  private static final String PREFIX = "TOWLINE_MANAGER_";

  private final Map<String, String> environment;
  private final Optional<Path> file;
  private final Map<String, String> values;

  private SettingsProvider(
      Map<String, String> environment, Optional<Path> file, Map<String, String> values) {
    this.environment = environment;
    this.file = file;
    this.values = values;
  }

  /** A value and where it came from. */
  record Origin(String value, String source) {}

  /**
   * @param arguments of the whole command line, for {@code --config}
   * @param keys that may stand in the file
   * @throws TowlineException for what the file should not hold, all of it at once
   */
  static SettingsProvider of(
      List<String> arguments, Map<String, String> environment, Set<String> keys) {
    Optional<Path> file = named(arguments);
    if (file.isEmpty() && Files.exists(USUAL_FILE)) {
      file = Optional.of(USUAL_FILE);
    }
    return new SettingsProvider(
        environment, file, file.map(path -> read(path, keys)).orElse(Map.of()));
  }

  /**
   * What is used when the command line says nothing; empty when only the built-in value is left.
   */
  Optional<Origin> origin(OptionSpec option) {
    String key = key(option);
    String variable = PREFIX + key.replace('-', '_').toUpperCase(Locale.ROOT);
    String set = environment.get(variable);
    if (set != null) {
      return Optional.of(new Origin(set, "environment " + variable));
    }
    String written = values.get(key);
    return written == null
        ? Optional.empty()
        : Optional.of(new Origin(written, "file " + file.map(Path::toString).orElse("")));
  }

  @Override
  public @Nullable String defaultValue(ArgSpec argument) {
    return argument instanceof OptionSpec option
        ? origin(option).map(Origin::value).orElse(null)
        : null;
  }

  static String key(OptionSpec option) {
    return option.longestName().replaceFirst("^--", "");
  }

  private static Optional<Path> named(List<String> arguments) {
    for (int i = 0; i < arguments.size(); i++) {
      String argument = arguments.get(i);
      if (argument.startsWith("--config=")) {
        return Optional.of(Path.of(argument.substring("--config=".length())));
      }
      if (argument.equals("--config") && i + 1 < arguments.size()) {
        return Optional.of(Path.of(arguments.get(i + 1)));
      }
    }
    return Optional.empty();
  }

  private static Map<String, String> read(Path file, Set<String> keys) {
    JsonNode root;
    try {
      root = YAMLMapper.builder().build().readTree(Files.readString(file));
    } catch (IOException | JacksonException e) {
      throw new TowlineException(
          INVALID,
          "configuration file can't be read: " + file + " (" + e.getMessage() + ")",
          "correct the file, or name another with --config",
          e);
    }
    List<String> problems = new ArrayList<>();
    Map<String, String> values = new LinkedHashMap<>();
    if (!root.isObject() && !root.isNull() && !root.isMissingNode()) {
      problems.add("not a map of keys to values");
    }
    for (String key : new TreeSet<>(root.propertyNames())) {
      JsonNode value = root.path(key);
      if (!keys.contains(key)) {
        problems.add("unknown key: " + key + " (expected: one of " + new TreeSet<>(keys) + ")");
      } else if (value.isArray()) {
        values.put(key, String.join(",", value.valueStream().map(v -> v.asString("")).toList()));
      } else {
        values.put(key, value.asString(""));
      }
    }
    if (!problems.isEmpty()) {
      throw new TowlineException(
          INVALID,
          "configuration file " + file + ": " + String.join("; ", problems),
          "correct the file");
    }
    return values;
  }
}
