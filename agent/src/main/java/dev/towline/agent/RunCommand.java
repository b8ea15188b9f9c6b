package dev.towline.agent;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.telemetry.BuildInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Runs the agent until it is told to stop. */
@Command(
    name = "run",
    description = "Runs the agent. The first start enrolls the host.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
final class RunCommand implements Callable<Integer> {
  private static final Logger log = LoggerFactory.getLogger(RunCommand.class);
  private static final int FAILURE = 1;
  private static final int REFUSED = 3;
  private static final int AT_REST = 4;

  @Mixin private SettingsOptions options = new SettingsOptions();

  @Override
  public Integer call() throws InterruptedException {
    CountDownLatch left = new CountDownLatch(1);
    try {
      AgentSettings settings = AgentSettings.of(options.resolve());
      var agent = new Agent(settings, Clock.systemUTC(), new SecureRandom());
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    agent.stop();
                    awaitQuietly(left);
                  },
                  "shutdown"));
      return switch (agent.run()) {
        case Agent.End.Stopped(), Agent.End.Again() -> 0;
        case Agent.End.Image(String line) -> {
          System.err.println("towline-agent: " + line);
          yield AT_REST;
        }
        case Agent.End.Refused(String line) -> {
          System.err.println("towline-agent: refused: " + line);
          yield REFUSED;
        }
      };
    } catch (TowlineException e) {
      System.err.println("towline-agent: " + e.explanation());
      return FAILURE;
    } catch (IOException | UncheckedIOException e) {
      System.err.println("towline-agent: " + e.getMessage());
      return FAILURE;
    } catch (ExecutionException e) {
      log.error("agent ends", e.getCause());
      return FAILURE;
    } finally {
      left.countDown();
    }
  }

  private static void awaitQuietly(CountDownLatch left) {
    try {
      // A stop that takes longer is cut off; the journal knows what ran.
      var _ = left.await(8, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
