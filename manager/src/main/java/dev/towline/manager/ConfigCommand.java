package dev.towline.manager;

import dev.towline.runtime.telemetry.BuildInfo;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The manager's configuration. */
@Command(
    name = "config",
    description = "The manager's configuration.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    subcommands = ConfigCommand.Show.class)
final class ConfigCommand implements Runnable {
  @Spec private CommandSpec command = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(command.commandLine(), "no command given (expected: show)");
  }

  /** Each value and where it came from. */
  @Command(
      name = "show",
      description = "Shows each value and where it came from.",
      mixinStandardHelpOptions = true,
      versionProvider = BuildInfo.class)
  static final class Show implements Callable<Integer> {
    @Spec private CommandSpec command = CommandSpec.create();

    /** Declares the options; their specifications are what is shown. */
    @SuppressWarnings("UnusedVariable")
    @Mixin
    private ServeOptions options = new ServeOptions();

    @Override
    public Integer call() {
      var given = command.commandLine().getParseResult();
      for (OptionSpec option : command.options()) {
        String key = SettingsProvider.key(option);
        if (option.usageHelp() || option.versionHelp() || key.equals("config")) {
          continue;
        }
        Object value = option.getValue();
        Optional<SettingsProvider.Origin> origin =
            command.defaultValueProvider() instanceof SettingsProvider provider
                ? provider.origin(option)
                : Optional.empty();
        String source =
            given.hasMatchedOption(option)
                ? "command line"
                : origin.map(SettingsProvider.Origin::source).orElse("default");
        System.out.printf("%s: %s  # %s%n", key, value == null ? "" : value, source);
      }
      return 0;
    }
  }
}
