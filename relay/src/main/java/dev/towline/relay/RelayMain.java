package dev.towline.relay;

import dev.towline.runtime.telemetry.BuildInfo;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line of towline-relay. */
@Command(
    name = "towline-relay",
    description = "One of a pair across a firewall that lets nothing in.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    subcommands = {RunCommand.class, StatusCommand.class, ConfigCommand.class})
public final class RelayMain implements Runnable {
  @Spec private CommandSpec command = CommandSpec.create();

  private RelayMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new RelayMain()).execute(args));
  }

  @Override
  public void run() {
    throw new ParameterException(
        command.commandLine(), "no command given (expected: run, status or config)");
  }
}
