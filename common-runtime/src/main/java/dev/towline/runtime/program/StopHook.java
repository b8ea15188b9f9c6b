package dev.towline.runtime.program;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Stops a program cleanly when its process is told to end.
 *
 * <p>Lifecycle: held while the program runs; closed when it has come to its end. Threading: the
 * process waits for that on a thread of its own, for a limited time. Failure: what takes longer is
 * cut off.
 */
public final class StopHook implements AutoCloseable {
  private final CountDownLatch ended = new CountDownLatch(1);

  private StopHook() {}

  /**
   * @param stop tells the program to end; must return at once
   */
  public static StopHook of(Runnable stop, Duration limit) {
    var hook = new StopHook();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  stop.run();
                  hook.await(limit);
                },
                "shutdown"));
    return hook;
  }

  private void await(Duration limit) {
    try {
      var _ = ended.await(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    ended.countDown();
  }
}
