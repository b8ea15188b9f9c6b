package dev.towline.cli;

import dev.towline.runtime.telemetry.BuildInfo;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line of towline. */
@Command(
    name = "towline",
    description = "Operates a Towline fleet.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
public final class TowlineMain implements Runnable {
  @Spec private CommandSpec command = CommandSpec.create();

  private TowlineMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new TowlineMain()).execute(args));
  }

  @Override
  public void run() {
    throw new ParameterException(command.commandLine(), "no command given");
  }
}
