package dev.towline.manager.session;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs tasks one after another, in the order in which they came, on whichever thread is there.
 *
 * <p>Threading: safe for use by several threads; a task may hand in further ones, which run after
 * it. Failure: what a task throws is logged, and the next one runs. Once the pool is closed, what
 * was left to it does not run any more.
 */
public final class SerialExecutor implements Executor {
  private static final Logger log = LoggerFactory.getLogger(SerialExecutor.class);

  private final Executor pool;
  private final Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();

  /** Tasks that wait or run; whoever makes it more than none runs them all. */
  private final AtomicInteger count = new AtomicInteger();

  public SerialExecutor(Executor pool) {
    this.pool = pool;
  }

  /** Runs it on a thread of the pool: for callers that have other things to do. */
  @Override
  public void execute(Runnable task) {
    waiting.add(task);
    if (count.getAndIncrement() == 0) {
      pool.execute(this::runAll);
    }
  }

  /**
   * Runs it before it returns, unless others are running or wait: for what is received, of which
   * there is so much that the way to another thread would cost more than the work.
   */
  public void executeHere(Runnable task) {
    if (count.compareAndSet(0, 1)) {
      runOne(task);
      if (count.decrementAndGet() > 0) {
        runAll();
      }
      return;
    }
    waiting.add(task);
    if (count.getAndIncrement() == 0) {
      runAll();
    }
  }

  private void runAll() {
    do {
      // Never null: a task is added before it is counted.
      runOne(waiting.remove());
    } while (count.decrementAndGet() > 0);
  }

  private static void runOne(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException | Error e) {
      log.error("a task failed", e);
    }
  }
}
