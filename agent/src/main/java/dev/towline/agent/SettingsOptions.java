package dev.towline.agent;

import dev.towline.runtime.config.SettingValue;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that several commands share. */
final class SettingsOptions {
  @Option(names = "--data", paramLabel = "DIR", description = "Directory of everything it keeps.")
  private @Nullable String data;

  @Option(
      names = "--enrollment",
      paramLabel = "FILE",
      description = "What an install command left for the first start.")
  private @Nullable String enrollment;

  @Option(
      names = "--name",
      paramLabel = "NAME",
      description = "What this host shall be called; its own name by default.")
  private @Nullable String name;

  @Option(names = "--config", paramLabel = "FILE", description = "YAML file with settings.")
  private @Nullable Path config;

  Map<String, SettingValue> resolve() {
    Map<String, String> flags = new LinkedHashMap<>();
    put(flags, "data", data);
    put(flags, "enrollment", enrollment);
    put(flags, "name", name);
    return AgentSettings.resolve(flags, System.getenv(), Optional.ofNullable(config));
  }

  private static void put(Map<String, String> flags, String key, @Nullable String value) {
    if (value != null) {
      flags.put(key, value);
    }
  }
}
