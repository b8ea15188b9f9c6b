package dev.towline.proxy;

import dev.towline.runtime.telemetry.BuildInfo;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line of towline-proxy. */
@Command(
    name = "towline-proxy",
    description = "Carries agents that cannot reach the manager.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
public final class ProxyMain implements Runnable {
  @Spec private CommandSpec command = CommandSpec.create();

  private ProxyMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new ProxyMain()).execute(args));
  }

  @Override
  public void run() {
    throw new ParameterException(command.commandLine(), "no command given");
  }
}
