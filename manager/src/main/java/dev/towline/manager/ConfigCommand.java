package dev.towline.manager;

import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.program.CommandGroup;
import dev.towline.runtime.program.ShowSettings;
import dev.towline.runtime.telemetry.BuildInfo;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Spec;

/** The manager's configuration. */
@Command(
    name = "config",
    description = "The manager's configuration.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    subcommands = ConfigCommand.Show.class)
final class ConfigCommand extends CommandGroup {
  /** Each value and where it came from. */
  @Command(name = ShowSettings.NAME)
  static final class Show extends ShowSettings {
    @Spec private CommandSpec command = CommandSpec.create();

    /** Declares the options; their specifications are what is shown. */
    @SuppressWarnings("UnusedVariable")
    @Mixin
    private ServeOptions options = new ServeOptions();

    @Override
    protected Map<String, SettingValue> settings() {
      Map<String, SettingValue> settings = new LinkedHashMap<>();
      for (OptionSpec option : command.options()) {
        String key = SettingsProvider.key(option);
        if (!option.usageHelp() && !option.versionHelp() && !key.equals("config")) {
          Object value = option.getValue();
          settings.put(
              key, new SettingValue(value == null ? "" : value.toString(), source(option)));
        }
      }
      return settings;
    }

    private String source(OptionSpec option) {
      if (command.commandLine().getParseResult().hasMatchedOption(option)) {
        return SettingValue.COMMAND_LINE;
      }
      return command.defaultValueProvider() instanceof SettingsProvider provider
          ? provider.find(option).map(SettingValue::source).orElse(SettingValue.DEFAULT)
          : SettingValue.DEFAULT;
    }
  }
}
