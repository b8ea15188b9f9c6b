package dev.towline.manager;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.telemetry.BuildInfo;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Runs the manager until it is told to stop. */
@Command(
    name = "serve",
    description = "Runs the manager. The first start makes a new fleet in an empty directory.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
final class ServeCommand implements Callable<Integer> {
  private static final Logger log = LoggerFactory.getLogger(ServeCommand.class);

  @Mixin private ServeOptions options = new ServeOptions();

  @Override
  public Integer call() throws InterruptedException {
    CountDownLatch stopped = new CountDownLatch(1);
    Manager manager;
    try {
      manager = Manager.start(options.config(), Clock.systemUTC(), new SecureRandom());
    } catch (TowlineException e) {
      log.debug("start failed", e);
      System.err.println("towline-manager: " + e.explanation());
      return 1;
    }
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform()
                .name("stop")
                .unstarted(() -> {
                  manager.close();
                  log.info("towline-manager stopped");
                  stopped.countDown();
                }));
    System.out.println("towline-manager ready");
    stopped.await();
    return 0;
  }
}
