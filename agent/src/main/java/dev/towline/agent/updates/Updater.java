package dev.towline.agent.updates;

import dev.towline.proto.v1.UpdateReport;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.policy.UpdatePolicy;
import dev.towline.runtime.updates.DirectorySource;
import dev.towline.runtime.updates.HttpSource;
import dev.towline.runtime.updates.RepositorySource;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks for updates when a policy is applied and then at its interval, each time at a moment of its
 * own within the policy's window, so that thousands of hosts do not ask together.
 *
 * <p>Lifecycle: {@link #follow} with each policy, {@link #stop}. Threading: safe for use by several
 * threads; looks follow one another on a thread of their own, which is there only while a policy
 * names components. Failure: a look that fails is made again at the next turn; nothing here ends
 * the agent.
 */
public final class Updater {
  private static final Logger log = LoggerFactory.getLogger(Updater.class);

  private final ComponentUpdates updates;
  private final RandomGenerator random;
  private final ThreadFactory threads;
  private final Runnable changed;
  private UpdatePolicy policy = UpdatePolicy.of(EffectivePolicy.EMPTY);
  private @Nullable ScheduledExecutorService worker;
  private @Nullable ScheduledFuture<?> next;

  /**
   * @param clock as the fleet has it
   * @param tls what HTTPS sources are checked by; made when it is needed
   * @param changed called when there is something to report
   */
  public Updater(
      Path data,
      InstantSource clock,
      LongSupplier nanoTime,
      RandomGenerator random,
      Supplier<SSLSocketFactory> tls,
      ThreadFactory threads,
      Runnable changed) {
    this.updates =
        new ComponentUpdates(
            data, clock, (address, wanted) -> open(address, wanted, tls, nanoTime));
    this.random = random;
    this.threads = threads;
    this.changed = changed;
  }

  private static RepositorySource open(
      String address, UpdatePolicy policy, Supplier<SSLSocketFactory> tls, LongSupplier nanoTime) {
    return address.startsWith("/")
        ? new DirectorySource(Path.of(address))
        : new HttpSource(
            address,
            policy.user(),
            policy.password(),
            address.regionMatches(true, 0, "https:", 0, "https:".length()) ? tls.get() : null,
            nanoTime,
            TimeUnit.NANOSECONDS::sleep);
  }

  /** What this host has. */
  public UpdateReport report() {
    return updates.report();
  }

  /** Goes by this policy from now on; one with the same words changes nothing. */
  public synchronized void follow(EffectivePolicy effective) {
    UpdatePolicy wanted = UpdatePolicy.of(effective);
    if (wanted.equals(policy)) {
      return;
    }
    policy = wanted;
    cancel();
    updates.remember(wanted);
    if (wanted.components().isEmpty()) {
      if (worker != null) {
        worker.shutdownNow();
        worker = null;
      }
      return;
    }
    if (worker == null) {
      worker = Executors.newSingleThreadScheduledExecutor(threads);
    }
    schedule(Duration.ZERO);
  }

  private synchronized void schedule(Duration wait) {
    ScheduledExecutorService running = worker;
    if (running == null || running.isShutdown()) {
      return;
    }
    cancel();
    long window = policy.window().toNanos();
    long own = window == 0 ? 0 : random.nextLong(window);
    UpdatePolicy wanted = policy;
    next = running.schedule(() -> look(wanted), wait.toNanos() + own, TimeUnit.NANOSECONDS);
  }

  private void look(UpdatePolicy wanted) {
    try {
      UpdateReport before = updates.report();
      updates.look(wanted);
      if (!updates.report().equals(before)) {
        changed.run();
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      return;
    } catch (RuntimeException e) {
      log.error("the look for updates failed, tried again", e);
    }
    if (isCurrent(wanted)) {
      schedule(wanted.interval());
    }
  }

  private synchronized boolean isCurrent(UpdatePolicy wanted) {
    return policy.equals(wanted);
  }

  private void cancel() {
    if (next != null) {
      next.cancel(false);
      next = null;
    }
  }

  /** What is being fetched is gone on with at the next start. */
  public synchronized void stop() {
    cancel();
    if (worker != null) {
      worker.shutdownNow();
      worker = null;
    }
  }
}
