package dev.towline.manager;

import dev.towline.runtime.config.SettingSources;
import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.error.TowlineException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Settings that the command line leaves out: from the environment ({@code TOWLINE_MANAGER_DATA}),
 * else the file, else what is built in.
 */
final class SettingsProvider implements IDefaultValueProvider {
  private static final Path USUAL_FILE = Path.of("/etc/towline/manager.yaml");
  private final SettingSources sources;

  private SettingsProvider(SettingSources sources) {
    this.sources = sources;
  }

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
        new SettingSources("manager", new TreeSet<>(keys), environment, file));
  }

  /**
   * What is used when the command line says nothing; empty when only the built-in value is left.
   */
  Optional<SettingValue> find(OptionSpec option) {
    return sources.find(key(option));
  }

  @Override
  public @Nullable String defaultValue(ArgSpec argument) {
    return argument instanceof OptionSpec option
        ? find(option).map(SettingValue::value).orElse(null)
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
}
