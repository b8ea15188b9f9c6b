package dev.towline.relay.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.RelayTarget;
import dev.towline.testing.Requirement;
import java.util.ArrayDeque;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * A child's and a parent's tunnel joined by a simulated link, between two simulated TCP peers, with
 * every order of events that a seed gives: slow readers, half-closes, resets, a link that breaks, a
 * relay that restarts. After each event the invariants hold: nothing is lost, doubled or reordered,
 * nothing follows a FIN, memory stays within credit, a broken tunnel never looks complete.
 */
@Requirement({"R3", "R9"})
final class TunnelSimulationTest {
  private static final int SEEDS = Integer.getInteger("towline.simulation.seeds", 1000);
  private static final OpenTunnel OPEN =
      OpenTunnel.newBuilder().setTarget(RelayTarget.RELAY_TARGET_SESSION).build();

  @Test
  void manySeeds_invariantsHold() {
    long first = Long.getLong("towline.simulation.seed", 1);
    int clean = 0;
    for (long seed = first; seed < first + SEEDS; seed++) {
      try {
        clean += new Simulation(seed).run() ? 1 : 0;
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed + " (-Dtowline.simulation.seed=" + seed + ")", e);
      }
    }
    System.out.println(
        "tunnel simulation: seeds "
            + first
            + " to "
            + (first + SEEDS - 1)
            + ", "
            + clean
            + " ended cleanly");
    assertThat(clean).isBetween(SEEDS / 10, SEEDS * 9 / 10);
  }

  /** One relay with its local TCP peer. */
  private static final class End {
    final Tunnel tunnel;
    final ArrayDeque<Frame> toPeer = new ArrayDeque<>();
    final ArrayDeque<CountedPayload> socketOut = new ArrayDeque<>();
    boolean readArmed;
    boolean connecting;
    boolean connected;
    boolean shut;
    boolean closed;
    boolean aborted;
    boolean ended;
    boolean finOnWire;
    boolean eofGiven;
    long produced;
    long toProduce;
    boolean willFinish;
    long delivered;

    End(Tunnel tunnel) {
      this.tunnel = tunnel;
    }
  }

  private static final class Simulation {
    private final Random random;
    private final CountedPayload.Ledger ledger = new CountedPayload.Ledger();
    private final CreditBudget budget;
    private final End child;
    private final End parent;
    private final boolean hostile;
    private boolean linkLost;
    private int readyOneIn;
    private int drainOneIn;

    Simulation(long seed) {
      random = new Random(seed);
      budget = new CreditBudget(random.nextBoolean() ? 8 << 20 : 100_000);
      child = new End(Tunnel.opening(OPEN, budget));
      parent = new End(Tunnel.answering(budget));
      hostile = random.nextInt(3) > 0;
      for (End end : new End[] {child, parent}) {
        end.toProduce = random.nextInt(4) == 0 ? 0 : random.nextInt(1 << 22);
        end.willFinish = true;
      }
      readyOneIn = 1 + random.nextInt(5);
      drainOneIn = 1 + random.nextInt(8);
    }

    /** True when both ended cleanly. */
    boolean run() {
      child.connected = true;
      perform(child);
      int calm = 0;
      for (int step = 0; step < 20_000 && !(child.ended && parent.ended); step++) {
        boolean hurt = hostile && random.nextInt(400) == 0;
        if (hurt) {
          break_();
        } else {
          calm = event() ? 0 : calm + 1;
        }
        check();
        assertThat(calm).as("steps in a row without progress").isLessThan(5000);
      }
      assertThat(child.ended && parent.ended).as("both ended").isTrue();
      boolean clean =
          child.tunnel.end() instanceof TunnelEnd.Clean
              && parent.tunnel.end() instanceof TunnelEnd.Clean;
      if (clean) {
        assertThat(parent.delivered).isEqualTo(child.toProduce);
        assertThat(child.delivered).isEqualTo(parent.toProduce);
      }
      for (End end : new End[] {child, parent}) {
        if (end.tunnel.end() instanceof TunnelEnd.Broken) {
          assertThat(end.aborted).as("a broken tunnel resets its socket").isTrue();
        }
        end.socketOut.forEach(Payload::discard);
        end.toPeer.forEach(frame -> {
          if (frame instanceof Frame.Data(Payload payload)) {
            payload.discard();
          }
        });
      }
      assertThat(ledger.alive).as("payloads never given back").isZero();
      assertThat(budget.used()).as("credit never given back").isZero();
      return clean;
    }

    private void break_() {
      End end = random.nextBoolean() ? child : parent;
      switch (random.nextInt(4)) {
        case 0, 1 -> {
          // The link breaks, or one relay is killed: both see their stream end, frames are lost.
          linkLost = true;
          for (End each : new End[] {child, parent}) {
            each.toPeer.forEach(frame -> {
              if (frame instanceof Frame.Data(Payload payload)) {
                payload.discard();
              }
            });
            each.toPeer.clear();
          }
          child.tunnel.streamEnded(random.nextBoolean(), "lost");
          parent.tunnel.streamEnded(random.nextBoolean(), "lost");
          perform(child);
          perform(parent);
          if (!child.ended) {
            child.tunnel.localFailed("LOCAL_RESET", "end of simulation");
            perform(child);
          }
          if (!parent.ended) {
            parent.tunnel.localFailed("LOCAL_RESET", "end of simulation");
            perform(parent);
          }
        }
        case 2 -> {
          end.tunnel.localFailed("LOCAL_RESET", "reset by peer");
          perform(end);
        }
        default -> {
          // A stall: the socket takes nothing for a long while.
          drainOneIn = drainOneIn > 50 ? 2 : 200;
        }
      }
    }

    private boolean event() {
      End end = random.nextBoolean() ? child : parent;
      End other = end == child ? parent : child;
      switch (random.nextInt(6)) {
        case 0, 1 -> {
          return deliver(end, other);
        }
        case 2 -> {
          if (random.nextInt(readyOneIn) == 0) {
            end.tunnel.streamReady();
            perform(end);
          }
          return true;
        }
        case 3 -> {
          return drain(end);
        }
        case 4 -> {
          return read(end);
        }
        default -> {
          if (end.connecting) {
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
          return false;
        }
      }
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
        if (!end.willFinish) {
          return false;
        }
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
        if (frame instanceof Frame.Data(Payload payload)) {
          payload.discard();
        }
      } else {
        end.toPeer.add(frame);
      }
    }

    private void check() {
      for (End end : new End[] {child, parent}) {
        long written = end.socketOut.stream().mapToLong(CountedPayload::size).sum();
        if (!end.ended) {
          assertThat(written)
              .as("bytes waiting for the socket")
              .isLessThanOrEqualTo(end.tunnel.window());
        }
        assertThat(end.tunnel.window()).isLessThanOrEqualTo(Tunnel.MAX_WINDOW);
        End other = end == child ? parent : child;
        assertThat(end.delivered).as("bytes from nowhere").isLessThanOrEqualTo(other.produced);
        if (end.shut) {
          assertThat(end.delivered).as("FIN before the last byte").isEqualTo(other.toProduce);
        }
      }
    }
  }
}
