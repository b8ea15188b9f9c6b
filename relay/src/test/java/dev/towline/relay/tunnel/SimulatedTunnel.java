package dev.towline.relay.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.RelayTarget;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Random;

/**
 * A child's and a parent's tunnel joined by a stream, between two simulated TCP peers. A stream
 * keeps its order; when a frame moves is the simulation's choice, so that streams overtake each
 * other. The link below may break for both ends, for one end before the other, or not at all.
 *
 * <p>After each event {@link #check} holds: nothing is lost, doubled or reordered, nothing follows
 * a FIN, memory stays within credit, a broken tunnel never looks complete.
 */
final class SimulatedTunnel {
  static final OpenTunnel OPEN =
      OpenTunnel.newBuilder().setTarget(RelayTarget.RELAY_TARGET_SESSION).build();

  private final Random random;
  private final CountedPayload.Ledger ledger;
  private final boolean hostile;
  private final End child;
  private final End parent;
  private boolean linkLost;
  private final int readyOneIn;
  private int drainOneIn;

  /** One relay with its local TCP peer. */
  static final class End {
    final Tunnel tunnel;
    private final ArrayDeque<Frame> toPeer = new ArrayDeque<>();
    private final ArrayDeque<CountedPayload> socketOut = new ArrayDeque<>();
    private boolean readArmed;
    private boolean connecting;
    private boolean connected;
    private boolean shut;
    private boolean closed;
    private boolean aborted;
    private boolean ended;
    private boolean finOnWire;
    private boolean eofGiven;
    private long produced;
    private final long toProduce;
    private long delivered;

    private End(Tunnel tunnel, long toProduce) {
      this.tunnel = tunnel;
      this.toProduce = toProduce;
    }
  }

  /**
   * @param most bytes that each peer sends
   * @param hostile whether peers and targets fail by themselves
   */
  SimulatedTunnel(
      Random random,
      CountedPayload.Ledger ledger,
      CreditBudget childBudget,
      CreditBudget parentBudget,
      int most,
      boolean hostile) {
    this.random = random;
    this.ledger = ledger;
    this.hostile = hostile;
    this.child = new End(Tunnel.opening(OPEN, childBudget), amount(most));
    this.parent = new End(Tunnel.answering(parentBudget), amount(most));
    this.readyOneIn = 1 + random.nextInt(5);
    this.drainOneIn = 1 + random.nextInt(8);
    child.connected = true;
    perform(child);
  }

  private long amount(int most) {
    return random.nextInt(4) == 0 ? 0 : random.nextInt(most);
  }

  End child() {
    return child;
  }

  End parent() {
    return parent;
  }

  private List<End> ends() {
    return List.of(child, parent);
  }

  boolean ended() {
    return child.ended && parent.ended;
  }

  /** Both ended, and both in order. */
  boolean clean() {
    return child.tunnel.end() instanceof TunnelEnd.Clean
        && parent.tunnel.end() instanceof TunnelEnd.Clean;
  }

  /** What an end's window took from its budget. */
  static long taken(End end) {
    return end.tunnel.end() == null ? end.tunnel.window() - Tunnel.INITIAL_CREDIT : 0;
  }

  /** What is under way is lost, and what either sends from now on; nobody knows yet. */
  void cut() {
    linkLost = true;
    for (End end : ends()) {
      end.toPeer.forEach(SimulatedTunnel::discard);
      end.toPeer.clear();
    }
  }

  /** One end learns that the link is gone, or is gone itself. */
  void lost(End end) {
    if (!linkLost) {
      cut();
    }
    end.tunnel.streamEnded(random.nextBoolean(), "lost");
    perform(end);
    if (!end.ended) {
      // Everything had gone both ways; only the last bytes to the local peer were missing.
      end.tunnel.localFailed("LOCAL_RESET", "end of simulation");
      perform(end);
    }
  }

  /** A local peer resets its connection. */
  void peerResets(End end) {
    end.tunnel.localFailed("LOCAL_RESET", "reset by peer");
    perform(end);
  }

  /** The local readers take nothing for a long while, or read again. */
  void stallOrResume() {
    drainOneIn = drainOneIn > 50 ? 2 : 200;
  }

  /** The local readers read again. */
  void resume() {
    drainOneIn = 2;
  }

  /** One thing that may happen now; false when it can't. */
  boolean event() {
    End end = random.nextBoolean() ? child : parent;
    End other = end == child ? parent : child;
    return switch (random.nextInt(6)) {
      case 0, 1 -> deliver(end, other);
      case 2 -> {
        if (random.nextInt(readyOneIn) == 0) {
          end.tunnel.streamReady();
          perform(end);
        }
        yield true;
      }
      case 3 -> drain(end);
      case 4 -> read(end);
      default -> connect(end);
    };
  }

  private boolean connect(End end) {
    if (!end.connecting) {
      return false;
    }
    end.connecting = false;
    if (hostile && random.nextInt(10) == 0) {
      end.tunnel.localFailed("TARGET_UNREACHABLE", "refused");
    } else {
      end.connected = true;
      end.tunnel.localConnected();
    }
    perform(end);
    return true;
  }

  private boolean deliver(End from, End to) {
    Frame frame = from.toPeer.poll();
    if (frame == null) {
      // A relay that is done closes the stream in order.
      if (from.ended && !to.ended && !linkLost) {
        to.tunnel.streamEnded(true, "stream closed");
        perform(to);
      }
      return false;
    }
    to.tunnel.received(frame);
    perform(to);
    return true;
  }

  private boolean drain(End end) {
    if (end.socketOut.isEmpty() || random.nextInt(drainOneIn) != 0) {
      return !end.socketOut.isEmpty();
    }
    CountedPayload payload = end.socketOut.poll();
    if (!end.ended) {
      assertThat(payload.from()).as("position of delivered bytes").isEqualTo(end.delivered);
      end.delivered += payload.size();
    }
    int size = payload.size();
    payload.discard();
    end.tunnel.localWritten(size);
    perform(end);
    return true;
  }

  private boolean read(End end) {
    if (end.ended || end.eofGiven || !end.connected) {
      return false;
    }
    boolean unasked = end.produced > 0 && random.nextInt(50) == 0;
    if (!end.readArmed && !unasked) {
      return false;
    }
    long left = end.toProduce - end.produced;
    if (left == 0) {
      end.eofGiven = true;
      end.tunnel.localEof();
    } else {
      int most = unasked ? 1 << 18 : end.tunnel.readAllowance();
      int size = (int) Math.min(left, 1 + random.nextInt(most));
      end.readArmed = false;
      end.tunnel.localData(new CountedPayload(ledger, end.produced, size));
      end.produced += size;
    }
    perform(end);
    return true;
  }

  private void perform(End end) {
    for (TunnelOutput next = end.tunnel.poll(); next != null; next = end.tunnel.poll()) {
      assertThat(end.ended).as("output after the end: %s", next).isFalse();
      switch (next) {
        case TunnelOutput.Send(Frame frame) -> send(end, frame);
        case TunnelOutput.Connect _ -> end.connecting = true;
        case TunnelOutput.Write(Payload payload) -> {
          assertThat(end.shut || end.closed).as("write after shutdown").isFalse();
          end.socketOut.add((CountedPayload) payload);
        }
        case TunnelOutput.Read _ -> {
          assertThat(end.readArmed).as("two reads at once").isFalse();
          end.readArmed = true;
        }
        case TunnelOutput.ShutdownOutput _ -> {
          assertThat(end.socketOut).as("shutdown before all was written").isEmpty();
          end.shut = true;
        }
        case TunnelOutput.Close _ -> {
          assertThat(end.socketOut).isEmpty();
          end.closed = true;
        }
        case TunnelOutput.Abort _ -> {
          end.aborted = true;
          end.connecting = false;
        }
        case TunnelOutput.End _ -> end.ended = true;
      }
    }
  }

  private void send(End end, Frame frame) {
    if (frame instanceof Frame.Data) {
      assertThat(end.finOnWire).as("data after fin").isFalse();
    }
    if (frame instanceof Frame.Fin) {
      assertThat(end.finOnWire).as("second fin").isFalse();
      end.finOnWire = true;
    }
    if (linkLost) {
      discard(frame);
    } else {
      end.toPeer.add(frame);
    }
  }

  void check() {
    for (End end : ends()) {
      if (!end.ended) {
        long written = 0;
        for (CountedPayload payload : end.socketOut) {
          written += payload.size();
        }
        if (written > end.tunnel.window() || end.tunnel.window() > Tunnel.MAX_WINDOW) {
          throw new AssertionError(
              written + " bytes wait for the socket, window " + end.tunnel.window());
        }
      }
      End other = end == child ? parent : child;
      if (end.delivered > other.produced) {
        throw new AssertionError("bytes from nowhere");
      }
      if (end.shut && end.delivered != other.toProduce) {
        throw new AssertionError("FIN before the last byte");
      }
    }
  }

  /** After both ended; gives back what lies between the relays and in their sockets. */
  void finish() {
    if (clean()) {
      assertThat(parent.delivered).isEqualTo(child.toProduce);
      assertThat(child.delivered).isEqualTo(parent.toProduce);
    }
    for (End end : ends()) {
      if (end.tunnel.end() instanceof TunnelEnd.Broken) {
        assertThat(end.aborted).as("a broken tunnel resets its socket").isTrue();
      }
      end.socketOut.forEach(Payload::discard);
      end.toPeer.forEach(SimulatedTunnel::discard);
    }
  }

  private static void discard(Frame frame) {
    if (frame instanceof Frame.Data(Payload payload)) {
      payload.discard();
    }
  }
}
