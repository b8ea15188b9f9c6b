package dev.towline.agent;

import dev.towline.runtime.program.ProgramLine;
import dev.towline.runtime.program.StopHook;
import dev.towline.runtime.telemetry.BuildInfo;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Runs the agent until it is told to stop. */
@Command(
    name = "run",
    description = "Runs the agent. The first start enrolls the host.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
final class RunCommand implements Callable<Integer> {
  /** A stop that takes longer is cut off; the journal knows what ran. */
  private static final Duration STOP = Duration.ofSeconds(8);

  @Mixin private SettingsOptions options = new SettingsOptions();

  @Override
  public Integer call() throws IOException, ExecutionException, InterruptedException {
    AgentSettings settings = AgentSettings.of(options.resolve());
    var agent = new Agent(settings, Clock.systemUTC(), new SecureRandom());
    try (var _ = StopHook.of(agent::stop, STOP)) {
      return switch (agent.run()) {
        case Agent.End.Stopped(), Agent.End.Again() -> ProgramLine.OK;
        case Agent.End.Image(String line) -> {
          System.err.println("towline-agent: " + line);
          yield ProgramLine.AT_REST;
        }
        case Agent.End.Refused(String line) -> {
          System.err.println("towline-agent: refused: " + line);
          yield ProgramLine.REFUSED;
        }
      };
    }
  }
}
