package dev.towline.relay.status;

import dev.towline.relay.status.RelayStatus.State;
import dev.towline.runtime.session.SessionObserver;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps {@code status.json}, and says in the log when the session comes and goes.
 *
 * <p>Lifecycle: {@link #start} to {@link #stopped}. Threading: thread-safe; writes on the executor.
 * Failure: a status that can't be written is logged; the relay goes on.
 */
public final class StatusKeeper implements SessionObserver {
  private static final Logger LOG = LoggerFactory.getLogger(StatusKeeper.class);
  private static final int REFRESH_SECONDS = 5;

  private final Path file;
  private final InstantSource clock;
  private final long pid;
  private final ScheduledExecutorService executor;
  private final Consumer<Throwable> failure;
  private final AtomicBoolean pending = new AtomicBoolean();

  private volatile Session session;
  private volatile String identity = "";
  private volatile Supplier<List<String>> listening = List::of;
  private volatile Supplier<List<LinkView>> links = List::of;
  private volatile Consumer<Established> online = _ -> {};
  private volatile Runnable revocations = () -> {};

  private record Session(State state, String manager, String detail, Instant since) {}

  /**
   * @param failure hears what ends the session for good
   */
  public StatusKeeper(
      Path file,
      InstantSource clock,
      long pid,
      ScheduledExecutorService executor,
      Consumer<Throwable> failure) {
    this.file = file;
    this.clock = clock;
    this.pid = pid;
    this.executor = executor;
    this.failure = failure;
    this.session = new Session(State.ENROLLING, "", "", clock.instant());
  }

  public void start() {
    var _ = executor.scheduleWithFixedDelay(this::write, 0, REFRESH_SECONDS, TimeUnit.SECONDS);
  }

  /** Where the changing parts are asked for; both may block for a moment. */
  public void shows(
      String newIdentity, Supplier<List<String>> newListening, Supplier<List<LinkView>> newLinks) {
    identity = newIdentity;
    listening = newListening;
    links = newLinks;
    changed();
  }

  /** What is to be done when a session starts, and when something was revoked. */
  public void reacts(Consumer<Established> whenOnline, Runnable whenRevoked) {
    online = whenOnline;
    revocations = whenRevoked;
  }

  /** Why there is no session yet. */
  public void waits(String detail) {
    moved(State.ENROLLING, "", detail);
  }

  /** Something to show has changed; many calls are one write. */
  public void changed() {
    if (pending.compareAndSet(false, true)) {
      try {
        executor.execute(this::write);
      } catch (RejectedExecutionException e) {
        // The relay stops.
      }
    }
  }

  /** Last state; nothing is written afterwards. */
  public void stopped(String detail) {
    listening = List::of;
    links = List::of;
    moved(State.STOPPED, "", detail);
    try {
      executor.submit(this::write).get(5, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (java.util.concurrent.ExecutionException
        | java.util.concurrent.TimeoutException
        | RejectedExecutionException e) {
      LOG.warn("last status was not written: {}", String.valueOf(e.getMessage()));
    }
  }

  @Override
  public void online(Established established) {
    moved(State.ONLINE, established.manager().uri(), "");
    LOG.info(
        "towline-relay online: {} through {}, generation {}",
        established.manager().id(),
        established.server(),
        established.generation());
    online.accept(established);
  }

  @Override
  public void offline(String why) {
    moved(State.OFFLINE, "", why);
    LOG.info("towline-relay offline: {}", why);
  }

  @Override
  public void revocations(dev.towline.proto.v1.RevocationList list) {
    revocations.run();
  }

  @Override
  public void failed(Throwable cause) {
    failure.accept(cause);
  }

  private void moved(State state, String manager, String detail) {
    session = new Session(state, manager, detail, clock.instant());
    changed();
  }

  private void write() {
    pending.set(false);
    Session now = session;
    try {
      new RelayStatus(
              now.state(),
              pid,
              identity,
              now.manager(),
              now.detail(),
              now.since(),
              listening.get(),
              links.get())
          .write(file);
    } catch (IOException | IllegalStateException e) {
      LOG.warn("status can't be written: {} ({})", file, e.getMessage());
    }
  }
}
