package dev.towline.agent;

import dev.towline.runtime.program.CommandGroup;
import dev.towline.runtime.program.ProgramLine;
import dev.towline.runtime.telemetry.BuildInfo;
import picocli.CommandLine.Command;

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
public final class AgentMain extends CommandGroup {
  private AgentMain() {}

  public static void main(String[] args) {
    System.exit(ProgramLine.of(new AgentMain()).execute(args));
  }
}
