package dev.towline.relay;

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

/** Runs the relay until it is told to stop. */
@Command(
    name = "run",
    description = "Runs the relay, as a parent, a child, or both. The first start enrolls it.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
final class RunCommand implements Callable<Integer> {
  private static final Logger LOG = LoggerFactory.getLogger(RunCommand.class);
  private static final int FAILURE = 1;
  private static final int REFUSED = 3;

  @Mixin private SettingsOptions options = new SettingsOptions();

  @Override
  public Integer call() throws InterruptedException {
    CountDownLatch left = new CountDownLatch(1);
    try {
      Relay relay = new Relay(options.resolve(), Clock.systemUTC(), new SecureRandom());
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    relay.stop();
                    awaitQuietly(left);
                  },
                  "shutdown"));
      return switch (relay.run()) {
        case Relay.End.Stopped() -> 0;
        case Relay.End.Refused(String line) -> {
          System.err.println("towline-relay: refused: " + line);
          yield REFUSED;
        }
      };
    } catch (TowlineException e) {
      System.err.println("towline-relay: " + e.explanation());
      return FAILURE;
    } catch (IOException | UncheckedIOException e) {
      System.err.println("towline-relay: " + e.getMessage());
      return FAILURE;
    } catch (ExecutionException e) {
      LOG.error("relay ends", e.getCause());
      return FAILURE;
    } finally {
      left.countDown();
    }
  }

  private static void awaitQuietly(CountDownLatch left) {
    try {
      // A clean stop waits a little for what is open.
      var _ = left.await(15, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
