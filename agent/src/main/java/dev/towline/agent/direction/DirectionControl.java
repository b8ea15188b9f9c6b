package dev.towline.agent.direction;

import dev.towline.proto.v1.ModuleStatus;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.session.HeartbeatSource.Reach;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings a direction into force (D1-D4). A change is tried while the present session goes on, and
 * only what works is kept: nobody can connect to a host that is lost.
 *
 * <p>Lifecycle: {@link #begin} with the stored policy, {@link #change} for each new one, {@link
 * #close}. Threading: begin and change by one thread at a time; {@link #reach} and {@link #module}
 * by any. Failure: a port that can't be listened on is tried again every few seconds; until then
 * the agent dials, also where it should only listen.
 */
public final class DirectionControl implements AutoCloseable {
  /** How long a new direction may take to prove itself; with it, it is back within 60 s. */
  public static final Duration TRIAL = Duration.ofSeconds(25);

  static final Duration LISTEN_AGAIN = Duration.ofSeconds(5);

  private static final Logger log = LoggerFactory.getLogger(DirectionControl.class);
  private static final String MODULE = "listener";

  /** Into which a tenth of a trial is divided. */
  private static final int RELEASE_STEPS = 25;

  private final Door.Opener doors;
  private final Session session;
  private final Duration trial;
  private final ThreadFactory threads;
  private final CountDownLatch closed = new CountDownLatch(1);
  private EffectivePolicy policy = EffectivePolicy.EMPTY;
  private @Nullable Door door;
  private String problem = "";
  private boolean trying;
  private int trialPort;
  private int released;

  /** The session, as far as its direction goes. */
  public interface Session {
    void direction(Direction direction, int listenPort);

    CompletableFuture<Optional<String>> tryCall(int listenPort, Duration limit);

    CompletableFuture<Optional<String>> tryDial(Duration limit);
  }

  public DirectionControl(
      Door.Opener doors, Session session, Duration trial, ThreadFactory threads) {
    this.doors = doors;
    this.session = session;
    this.trial = trial;
    this.threads = threads;
  }

  /** What was in force when the program ended. */
  public synchronized void begin(EffectivePolicy stored) {
    policy = stored;
    if (stored.direction().listens()) {
      listen();
    }
    apply();
  }

  /**
   * Tries the direction of a policy, and keeps it when it works.
   *
   * @return empty when it is in force; else what does not work, why, and what to do, and everything
   *     is as it was
   */
  public Optional<String> change(EffectivePolicy wanted)
      throws InterruptedException, ExecutionException {
    Direction was;
    Direction now = wanted.direction();
    Door present;
    synchronized (this) {
      was = policy.direction();
      present = door;
      boolean samePort = !now.listens() || wanted.listenPort() == policy.listenPort();
      if (was == now && samePort) {
        policy = wanted;
        return Optional.empty();
      }
    }
    Door fresh = null;
    if (now.listens() && (present == null || present.port() != wanted.listenPort())) {
      try {
        fresh = open(wanted.listenPort(), now == Direction.MANAGER_INITIATED);
      } catch (IOException e) {
        return Optional.of(
            "port %d can't be listened on: %s; free it, or set %s"
                .formatted(wanted.listenPort(), reason(e), EffectivePolicy.LISTEN_PORT));
      }
    }
    Optional<String> failed = Optional.empty();
    if (now == Direction.MANAGER_INITIATED) {
      // Told to the manager, so that it finds this host also when it restarts in between.
      trialPort(wanted.listenPort());
      failed = session.tryCall(wanted.listenPort(), trial).get();
      trialPort(0);
    } else if (was == Direction.MANAGER_INITIATED) {
      failed = session.tryDial(trial).get();
    }
    if (failed.isPresent()) {
      if (fresh != null) {
        close(fresh);
      }
      return failed.map(why -> why + "; " + remedy(now, wanted.listenPort()));
    }
    synchronized (this) {
      policy = wanted;
      if (fresh != null || !now.listens()) {
        if (door != null) {
          close(door);
        }
        door = fresh;
        problem = "";
      }
      apply();
    }
    return Optional.empty();
  }

  private synchronized void close(Door old) {
    released = old.port();
    old.close();
  }

  private synchronized int released() {
    return released;
  }

  /** A port that was just let go of may not be free yet. */
  private Door open(int port, boolean expected) throws IOException, InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try {
        return doors.open(port, expected);
      } catch (IOException e) {
        if (port != released() || attempt == RELEASE_STEPS) {
          throw e;
        }
        if (closed.await(trial.toMillis() / RELEASE_STEPS / 10, TimeUnit.MILLISECONDS)) {
          throw e;
        }
      }
    }
  }

  private static String remedy(Direction wanted, int port) {
    return wanted == Direction.MANAGER_INITIATED
        ? "let the manager connect to port %d of this host, or say in connection.address where it does"
            .formatted(port)
        : "let this host connect to its manager or proxy";
  }

  /** What the manager is told of it. */
  public synchronized Reach reach() {
    return new Reach(policy.direction(), door == null ? trialPort : door.port());
  }

  private synchronized void trialPort(int port) {
    trialPort = port;
  }

  /** Absent where the agent listens on nothing. */
  public synchronized Optional<ModuleStatus> module() {
    if (!policy.direction().listens()) {
      return Optional.empty();
    }
    return Optional.of(
        ModuleStatus.newBuilder()
            .setName(MODULE)
            .setOnline(door != null)
            .setDetail(door == null ? problem : "port " + door.port())
            .build());
  }

  @Override
  public synchronized void close() {
    closed.countDown();
    if (door != null) {
      door.close();
      door = null;
    }
  }

  private synchronized void apply() {
    Direction wanted = policy.direction();
    boolean blocked = wanted == Direction.MANAGER_INITIATED && door == null;
    session.direction(blocked ? Direction.BIDIRECTIONAL : wanted, door == null ? 0 : door.port());
  }

  private synchronized void listen() {
    try {
      door = doors.open(policy.listenPort(), policy.direction() == Direction.MANAGER_INITIATED);
      problem = "";
    } catch (IOException e) {
      String reason = "port %d can't be listened on: %s".formatted(policy.listenPort(), reason(e));
      if (!reason.equals(problem)) {
        problem = reason;
        log.warn(
            "{}; the agent dials instead and tries again; to change the port set {}",
            reason,
            EffectivePolicy.LISTEN_PORT);
      }
      if (!trying) {
        trying = true;
        threads.newThread(this::listenAgain).start();
      }
    }
  }

  private void listenAgain() {
    try {
      while (!closed.await(LISTEN_AGAIN.toMillis(), TimeUnit.MILLISECONDS)) {
        synchronized (this) {
          if (closed.getCount() > 0 && policy.direction().listens() && door == null) {
            listen();
            if (door != null) {
              apply();
            }
          }
          if (door != null || !policy.direction().listens()) {
            trying = false;
            return;
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The innermost cause says what the system said. */
  private static String reason(Throwable failure) {
    Throwable innermost = failure;
    while (innermost.getCause() != null) {
      innermost = innermost.getCause();
    }
    return String.valueOf(innermost.getMessage());
  }
}
