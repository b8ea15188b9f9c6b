package dev.towline.proxy.uplink;

import dev.towline.proto.v1.UplinkHello;
import dev.towline.runtime.backoff.FullJitter;
import dev.towline.runtime.tls.ServerAddress;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.SynchronizationContext;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the lanes of an uplink up, each on a TCP connection of its own. The first control lane
 * picks the manager, in the configured order; the other lanes follow it there.
 *
 * <p>Lifecycle: {@link #start} once, {@link #close} once. Between them a lane that breaks is
 * dialled again, after a delay with full jitter once every server was tried.
 *
 * <p>Threading: all state belongs to the serial order; {@link #channel} may be asked by anyone.
 *
 * <p>Failure: without a manager it keeps trying for ever; agents stay connected meanwhile.
 */
public final class UplinkConnector implements AutoCloseable {
  public static final int MAX_CONNECTIONS = 4;

  private static final Logger log = LoggerFactory.getLogger(UplinkConnector.class);
  private static final Duration BACKOFF_BASE = Duration.ofMillis(500);
  private static final Duration BACKOFF_CAP = Duration.ofSeconds(4);
  private static final Duration WELCOME_LIMIT = Duration.ofSeconds(10);
  private static final Duration TICK = Duration.ofMillis(10);

  private final UplinkMux mux;
  private final SynchronizationContext serial;
  private final ScheduledExecutorService timer;
  private final List<ServerAddress> servers;
  private final Function<ServerAddress, ManagedChannel> dialler;
  private final String instance;
  private final Listener listener;
  private final List<Slot> slots = new ArrayList<>();
  private volatile @Nullable ManagedChannel spare;
  private boolean closed;

  /** Hears that the way to a manager is there or lost; called in the serial order. */
  public interface Listener {
    void uplinkUp(String managerId, ServerAddress server);

    void uplinkLost(String reason);
  }

  /**
   * @param dialler makes a channel that opens one TCP connection to a manager
   * @param connections 1 to {@value #MAX_CONNECTIONS}; from 2 on, log batches have their own
   * @param instance names this start of the proxy
   */
  public UplinkConnector(
      UplinkMux mux,
      SynchronizationContext serial,
      ScheduledExecutorService timer,
      List<ServerAddress> servers,
      Function<ServerAddress, ManagedChannel> dialler,
      int connections,
      String instance,
      RandomGenerator random,
      Listener listener) {
    if (connections < 1 || connections > MAX_CONNECTIONS) {
      throw new IllegalArgumentException(
          "uplink connections: %d (expected: 1 to %d)".formatted(connections, MAX_CONNECTIONS));
    }
    if (servers.isEmpty()) {
      throw new IllegalArgumentException("servers: none (expected: at least one manager)");
    }
    this.mux = mux;
    this.serial = serial;
    this.timer = timer;
    this.servers = List.copyOf(servers);
    this.dialler = dialler;
    this.instance = instance;
    this.listener = listener;
    for (int i = 0; i < connections; i++) {
      boolean bulk = connections > 1 && i >= (connections + 1) / 2;
      var jitter = new FullJitter(BACKOFF_BASE, BACKOFF_CAP, random);
      slots.add(new Slot(i, bulk ? UplinkHello.Lane.BULK : UplinkHello.Lane.CONTROL, jitter));
    }
  }

  public void start() {
    serial.execute(() -> slots.getFirst().dial());
    serial.execute(this::tick);
  }

  private void tick() {
    if (closed) {
      return;
    }
    if (mux.wantsTick()) {
      mux.tick();
    }
    serial.schedule(this::tick, TICK.toMillis(), TimeUnit.MILLISECONDS, timer);
  }

  /**
   * A connection to the manager for calls that are no session: enrollment. Empty while it is lost.
   */
  public Optional<ManagedChannel> channel() {
    return Optional.ofNullable(spare);
  }

  /** Dials anew, so that a renewed certificate is presented. Sessions are announced again. */
  public void reconnect() {
    serial.execute(() -> {
      for (Slot slot : slots) {
        if (slot.stream != null) {
          slot.stream.cancel("certificate renewed");
        }
      }
    });
  }

  @Override
  public void close() {
    serial.execute(() -> {
      closed = true;
      for (Slot slot : slots) {
        LaneStream stream = slot.stream;
        if (stream != null) {
          stream.cancel("the proxy stops");
        }
      }
    });
  }

  private void choose() {
    ManagedChannel best = null;
    for (Slot slot : slots) {
      // The last one that is up: a bulk lane, where there is one.
      if (slot.stream != null && slot.stream.isUp()) {
        best = slot.stream.channel();
      }
    }
    spare = best;
  }

  /** One lane's place: at most one attempt at a time. */
  private final class Slot implements LaneStream.Owner {
    final int index;
    final UplinkHello.Lane kind;
    final FullJitter jitter;
    @Nullable LaneStream stream;
    @Nullable ServerAddress server;
    int tried;
    boolean wasUp;

    Slot(int index, UplinkHello.Lane kind, FullJitter jitter) {
      this.index = index;
      this.kind = kind;
      this.jitter = jitter;
    }

    boolean leads() {
      return index == 0;
    }

    void dial() {
      if (closed || stream != null) {
        return;
      }
      ServerAddress target = leads() ? servers.get(tried % servers.size()) : leadersServer();
      if (target == null) {
        return;
      }
      server = target;
      wasUp = false;
      var hello = UplinkHello.newBuilder().setLane(kind).setInstance(instance).build();
      var attempt = new LaneStream(dialler.apply(target), serial, mux, hello, this);
      stream = attempt;
      attempt.start();
      serial.schedule(
          () -> {
            if (stream == attempt && !wasUp) {
              attempt.cancel("no welcome within " + WELCOME_LIMIT.toSeconds() + " s");
            }
          },
          WELCOME_LIMIT.toMillis(),
          TimeUnit.MILLISECONDS,
          timer);
    }

    @Override
    public void up(LaneStream which, String managerId) {
      wasUp = true;
      tried = 0;
      jitter.reset();
      // The stream counts as up when this returns.
      serial.execute(UplinkConnector.this::choose);
      if (leads() && server != null) {
        log.info("uplink to manager {} at {} is up", managerId, server);
        listener.uplinkUp(managerId, server);
        slots.forEach(Slot::dial);
      }
    }

    @Override
    public void over(LaneStream which, Status status) {
      stream = null;
      choose();
      if (closed) {
        return;
      }
      String reason = reasonOf(status);
      if (leads()) {
        if (wasUp) {
          log.warn("uplink to {} is lost: {}", server, reason);
          listener.uplinkLost(reason);
        } else {
          log.info("no uplink to {}: {}", server, reason);
          tried++;
        }
      } else {
        log.info("lane {} to {} is down: {}", index, server, reason);
      }
      boolean nextServer = leads() && !wasUp && tried % servers.size() != 0;
      Duration delay = nextServer ? Duration.ZERO : jitter.next();
      serial.schedule(this::dial, delay.toMillis(), TimeUnit.MILLISECONDS, timer);
    }

    private static String reasonOf(Status status) {
      String text = status.getCode() + ": " + status.getDescription();
      Throwable cause = status.getCause();
      return cause == null ? text : text + " (" + cause.getMessage() + ")";
    }

    private @Nullable ServerAddress leadersServer() {
      Slot leader = slots.getFirst();
      return leader.stream != null && leader.wasUp ? leader.server : null;
    }
  }
}
