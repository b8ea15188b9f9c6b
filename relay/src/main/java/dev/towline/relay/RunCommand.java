package dev.towline.relay;

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

/** Runs the relay until it is told to stop. */
@Command(
    name = "run",
    description = "Runs the relay, as a parent, a child, or both. The first start enrolls it.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
final class RunCommand implements Callable<Integer> {
  /** A clean stop waits a little for what is open. */
  private static final Duration STOP = Duration.ofSeconds(15);

  @Mixin private SettingsOptions options = new SettingsOptions();

  @Override
  public Integer call() throws IOException, ExecutionException, InterruptedException {
    Relay relay = new Relay(options.resolve(), Clock.systemUTC(), new SecureRandom());
    try (var _ = StopHook.of(relay::stop, STOP)) {
      return switch (relay.run()) {
        case Relay.End.Stopped() -> ProgramLine.OK;
        case Relay.End.Refused(String line) -> {
          System.err.println("towline-relay: refused: " + line);
          yield ProgramLine.REFUSED;
        }
      };
    }
  }
}
