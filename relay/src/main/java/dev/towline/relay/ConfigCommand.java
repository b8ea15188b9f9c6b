package dev.towline.relay;

import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.program.CommandGroup;
import dev.towline.runtime.program.ShowSettings;
import dev.towline.runtime.telemetry.BuildInfo;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The relay's configuration. */
@Command(
    name = "config",
    description = "The relay's configuration.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    subcommands = ConfigCommand.Show.class)
final class ConfigCommand extends CommandGroup {
  /** Each value and where it came from. */
  @Command(name = ShowSettings.NAME)
  static final class Show extends ShowSettings {
    @Mixin private SettingsOptions options = new SettingsOptions();

    @Override
    protected Map<String, SettingValue> settings() {
      return Relay.withPairing(options.resolve()).all();
    }
  }
}
