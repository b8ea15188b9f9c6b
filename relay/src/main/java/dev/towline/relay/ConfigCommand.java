package dev.towline.relay;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.telemetry.BuildInfo;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The relay's configuration. */
@Command(
    name = "config",
    description = "The relay's configuration.",
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
    @Mixin private SettingsOptions options = new SettingsOptions();

    @Override
    public Integer call() {
      try {
        Relay.withPairing(options.resolve())
            .all()
            .forEach((key, origin) ->
                System.out.printf("%s: %s  # %s%n", key, origin.value(), origin.source()));
        return 0;
      } catch (TowlineException e) {
        System.err.println("towline-relay: " + e.explanation());
        return 1;
      }
    }
  }
}
