package dev.towline.relay.parent;

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import dev.towline.relay.link.Addresses;
import dev.towline.relay.link.LinkCounters;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.status.LinkView;
import dev.towline.relay.tunnel.Connector;
import dev.towline.relay.tunnel.CreditBudget;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the persistent connections to one child: the first has to stand before the others are
 * dialled, a lost one is dialled again with full jitter (R4).
 *
 * <p>Lifecycle: {@link #start} to {@link #close}. Threading: the loop; names are looked up on the
 * executor. Failure: never gives up.
 */
final class ChildDialer {
  private static final Logger LOG = LoggerFactory.getLogger(ChildDialer.class);

  private static final int RETIRING_LOOK_MILLIS = 500;

  private final Shared shared;
  private Child child;
  private ChildTrust trust;
  private final List<Slot> slots = new ArrayList<>();
  private boolean closed;

  /** What all dialers of a parent share. */
  record Shared(
      RelayIo io,
      Supplier<ParentSettings> settings,
      Connector connector,
      CreditBudget budget,
      String instance,
      List<String> hops,
      InstantSource clock,
      SecureRandom random,
      Executor lookups,
      Runnable changed) {}

  ChildDialer(Child child, Shared shared, ChildTrust trust) {
    this.child = child;
    this.shared = shared;
    this.trust = trust;
    fill();
  }

  private void fill() {
    for (int i = 0; i < settings().connections(); i++) {
      int index = i;
      if (slots.stream().noneMatch(slot -> slot.index == index && !slot.retiring)) {
        slots.add(new Slot(index));
      }
    }
  }

  private ParentSettings settings() {
    return shared.settings().get();
  }

  /**
   * The settings changed. Connections that are too many take no more tunnels and end when they
   * carry none.
   */
  void tuned() {
    for (Slot slot : List.copyOf(slots)) {
      if (slot.index >= settings().connections() && !slot.retiring) {
        slot.retire();
      } else if (slot.connection != null) {
        slot.connection.tuned(settings());
        slot.drainOrResume(slot.connection);
      }
    }
    fill();
    if (isRegistered()) {
      dialNext();
    }
  }

  private boolean isRegistered() {
    return slots.stream().anyMatch(slot -> slot.byCertificate && slot.state == LinkView.State.UP);
  }

  /** One at a time. */
  private void dialNext() {
    slots.stream().filter(slot -> !slot.started).findFirst().ifPresent(Slot::dial);
  }

  Child child() {
    return child;
  }

  /** The child holds a certificate now: what stands goes on, later dials accept nothing else. */
  void registered(Child now, ChildTrust newTrust) {
    child = now;
    trust = newTrust;
  }

  void start() {
    slots.getFirst().dial();
  }

  void close(String reason) {
    closed = true;
    slots.forEach(slot -> slot.stop(reason));
  }

  void recheck() {
    for (Slot slot : slots) {
      if (slot.connection != null) {
        slot.connection.recheck();
      }
    }
  }

  boolean isUp() {
    return slots.stream().anyMatch(slot -> slot.connection != null && slot.connection.isUp());
  }

  List<LinkView> views() {
    return slots.stream().filter(slot -> slot.started).map(Slot::view).toList();
  }

  private final class Slot {
    private final int index;
    private boolean started;
    private @Nullable ChildConnection connection;
    private @Nullable Future<?> timer;
    private final ReconnectDelay reconnect = new ReconnectDelay(shared.random());
    private LinkView.State state = LinkView.State.DOWN;
    private Instant since = shared.clock().instant();
    private String lastError = "";
    private boolean byCertificate;
    private boolean retiring;

    Slot(int index) {
      this.index = index;
    }

    void dial() {
      if (closed || retiring) {
        return;
      }
      started = true;
      timer = null;
      moved(LinkView.State.CONNECTING);
      byte[] nonce = new byte[32];
      shared.random().nextBytes(nonce);
      ChildConnection[] dialled = new ChildConnection[1];
      dialled[0] =
          new ChildConnection(
              shared.io(),
              settings(),
              trust,
              shared.connector(),
              shared.budget(),
              shared.instance(),
              index,
              shared.hops(),
              nonce,
              new ChildConnection.Listener() {
                @Override
                public void up(boolean registered) {
                  Slot.this.up(registered);
                }

                @Override
                public void childDrains(boolean drains, String reason) {
                  LOG.info(
                      "child {} (connection {}) {}",
                      child.name(),
                      index,
                      drains ? "takes nothing new: " + reason : "takes new connections again");
                  shared.changed().run();
                }

                @Override
                public void down(String reason) {
                  if (connection == dialled[0]) {
                    Slot.this.down(reason);
                  }
                }
              });
      ChildConnection started = dialled[0];
      connection = started;
      drainOrResume(started);
      if (Addresses.isLiteral(child.address())) {
        started.start(Addresses.resolve(child.address()));
        return;
      }
      shared
          .lookups()
          .execute(() -> {
            InetSocketAddress resolved = Addresses.resolve(child.address());
            shared
                .io()
                .loop()
                .execute(() -> {
                  if (resolved.isUnresolved()) {
                    started.close("name " + child.address().host() + " is unknown");
                  } else {
                    started.start(resolved);
                  }
                });
          });
    }

    private void up(boolean registered) {
      byCertificate = registered;
      lastError = "";
      moved(LinkView.State.UP);
      if (registered) {
        LOG.info("persistent connection to {} up (connection {})", child.name(), index);
        dialNext();
      } else {
        LOG.info("connection to {} up for its registration", child.name());
      }
    }

    private void down(String reason) {
      connection = null;
      lastError = reason;
      boolean wasUp = state == LinkView.State.UP;
      Duration stood = wasUp ? Duration.between(since, shared.clock().instant()) : Duration.ZERO;
      moved(LinkView.State.DOWN);
      if (closed) {
        return;
      }
      if (retiring) {
        slots.remove(this);
        return;
      }
      Duration delay = reconnect.next(settings(), stood);
      if (wasUp || reconnect.failures() % 20 == 1) {
        LOG.warn(
            "persistent connection to {} (connection {}) at {} {}: {}; next attempt in {} ms",
            child.name(),
            index,
            child.address(),
            wasUp ? "lost" : "failed",
            reason,
            delay.toMillis());
      }
      timer = shared.io().loop().schedule(this::dial, delay.toMillis(), MILLISECONDS);
    }

    void drainOrResume(ChildConnection present) {
      boolean drain = retiring || settings().draining();
      if (drain && !present.draining()) {
        present.drain(retiring ? "fewer connections are wanted" : "this parent drains");
      } else if (!drain && present.draining()) {
        present.resume();
      }
    }

    void retire() {
      retiring = true;
      ChildConnection present = connection;
      if (present == null || !present.isUp()) {
        slots.remove(this);
        stop("fewer connections are wanted");
        return;
      }
      drainOrResume(present);
      endWhenEmpty(present, 2);
    }

    /** Twice, because a tunnel may have been on its way while the child was told. */
    private void endWhenEmpty(ChildConnection present, int looks) {
      if (connection != present) {
        return;
      }
      if (present.taken() == 0 && looks == 0) {
        present.close("fewer connections are wanted");
        return;
      }
      int next = present.taken() == 0 ? looks - 1 : 2;
      var _ =
          shared
              .io()
              .loop()
              .schedule(() -> endWhenEmpty(present, next), RETIRING_LOOK_MILLIS, MILLISECONDS);
    }

    void stop(String reason) {
      if (timer != null) {
        timer.cancel(false);
      }
      if (connection != null) {
        connection.close(reason);
      }
    }

    private void moved(LinkView.State next) {
      state = next;
      since = shared.clock().instant();
      shared.changed().run();
    }

    private LinkView view() {
      ChildConnection present = connection;
      return new LinkView(
          child.relayId(),
          false,
          index,
          present != null && present.isUp() && (present.draining() || present.childDraining())
              ? LinkView.State.DRAINING
              : state,
          child.address().toString(),
          since,
          present == null ? null : present.roundTrip(),
          present == null ? 0 : present.reserveCount(),
          present == null ? LinkCounters.Totals.NONE : present.totals(),
          lastError);
    }
  }
}
