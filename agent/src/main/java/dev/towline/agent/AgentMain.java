package dev.towline.agent;

import dev.towline.runtime.telemetry.BuildInfo;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line of towline-agent. */
@Command(
    name = "towline-agent",
    description = "The Towline agent of this host.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    subcommands = {
      RunCommand.class,
      StatusCommand.class,
      ConfigCommand.class,
      ImageCommand.class,
      DoctorCommand.class
    })
public final class AgentMain implements Runnable {
  @Spec private CommandSpec command = CommandSpec.create();

  private AgentMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new AgentMain()).execute(args));
  }

  @Override
  public void run() {
    throw new ParameterException(
        command.commandLine(), "no command given (expected: run, status, config, image or doctor)");
  }
}
