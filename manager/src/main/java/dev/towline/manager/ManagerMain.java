package dev.towline.manager;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.telemetry.BuildInfo;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line of towline-manager. */
@Command(
    name = "towline-manager",
    description = "The control plane of a Towline fleet.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    subcommands = {ServeCommand.class, ConfigCommand.class, UpdateKeyCommand.class})
public final class ManagerMain implements Runnable {
  @Spec private CommandSpec command = CommandSpec.create();

  private ManagerMain() {}

  public static void main(String[] args) {
    System.exit(run(args));
  }

  private static int run(String[] args) {
    CommandLine line = new CommandLine(new ManagerMain());
    try {
      line.setDefaultValueProvider(
          SettingsProvider.of(List.of(args), System.getenv(), settings(line)));
    } catch (TowlineException e) {
      System.err.println("towline-manager: " + e.explanation());
      return 1;
    }
    return line.execute(args);
  }

  private static Set<String> settings(CommandLine line) {
    CommandLine serve = Objects.requireNonNull(line.getSubcommands().get("serve"));
    return serve.getCommandSpec().options().stream()
        .filter(option -> !option.usageHelp() && !option.versionHelp())
        .map(SettingsProvider::key)
        .filter(key -> !key.equals("config"))
        .collect(Collectors.toSet());
  }

  @Override
  public void run() {
    throw new ParameterException(command.commandLine(), "no command given (expected: serve)");
  }
}
