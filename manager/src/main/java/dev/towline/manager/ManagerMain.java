package dev.towline.manager;

import dev.towline.runtime.telemetry.BuildInfo;
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
    subcommands = ServeCommand.class)
public final class ManagerMain implements Runnable {
  @Spec private CommandSpec command = CommandSpec.create();

  private ManagerMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new ManagerMain()).execute(args));
  }

  @Override
  public void run() {
    throw new ParameterException(command.commandLine(), "no command given (expected: serve)");
  }
}
