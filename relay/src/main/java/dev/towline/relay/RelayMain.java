package dev.towline.relay;

import dev.towline.runtime.program.CommandGroup;
import dev.towline.runtime.program.ProgramLine;
import dev.towline.runtime.telemetry.BuildInfo;
import picocli.CommandLine.Command;

/** The command line of towline-relay. */
@Command(
    name = "towline-relay",
    description = "One of a pair across a firewall that lets nothing in.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    subcommands = {RunCommand.class, StatusCommand.class, ConfigCommand.class})
public final class RelayMain extends CommandGroup {
  private RelayMain() {}

  public static void main(String[] args) {
    System.exit(ProgramLine.of(new RelayMain()).execute(args));
  }
}
