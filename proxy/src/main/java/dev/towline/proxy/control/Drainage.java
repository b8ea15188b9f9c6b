package dev.towline.proxy.control;

import dev.towline.proxy.uplink.UplinkMux;
import io.grpc.SynchronizationContext;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Asks the agents to move to other proxies and waits for it (P12).
 *
 * <p>Threading: thread-safe; {@link #drain} blocks.
 */
public final class Drainage {
  private static final Duration LOOK = Duration.ofMillis(100);
  private static final Duration ANSWER = Duration.ofSeconds(5);

  private final UplinkMux mux;
  private final SynchronizationContext serial;
  private volatile boolean draining;

  public Drainage(UplinkMux mux, SynchronizationContext serial) {
    this.mux = mux;
    this.serial = serial;
  }

  /** Whether agents are asked to move. */
  public boolean isDraining() {
    return draining;
  }

  /**
   * Asks, and waits until all have gone or the time is over.
   *
   * @return how many agents are left
   */
  public int drain(Duration limit) throws InterruptedException {
    draining = true;
    serial.execute(mux::drain);
    // Nobody counts it down; the end of the wait is looked for.
    var never = new CountDownLatch(1);
    long deadline = System.nanoTime() + limit.toNanos();
    int left = clients();
    while (left > 0 && System.nanoTime() - deadline < 0) {
      var _ = never.await(LOOK.toMillis(), TimeUnit.MILLISECONDS);
      left = clients();
    }
    return left;
  }

  /** Agents are welcome again; those that are still here stay. */
  public void resume() {
    draining = false;
    serial.execute(mux::resume);
  }

  /** Agents that are connected now. */
  public int clients() throws InterruptedException {
    var count = new CompletableFuture<Integer>();
    serial.execute(() -> count.complete(mux.stats().clients()));
    try {
      return count.get(ANSWER.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      throw new IllegalStateException("the session path does not answer", e);
    }
  }
}
