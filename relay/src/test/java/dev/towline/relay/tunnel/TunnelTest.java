package dev.towline.relay.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.tunnel.TunnelOutput.Abort;
import dev.towline.relay.tunnel.TunnelOutput.Close;
import dev.towline.relay.tunnel.TunnelOutput.Connect;
import dev.towline.relay.tunnel.TunnelOutput.End;
import dev.towline.relay.tunnel.TunnelOutput.Read;
import dev.towline.relay.tunnel.TunnelOutput.Send;
import dev.towline.relay.tunnel.TunnelOutput.ShutdownOutput;
import dev.towline.relay.tunnel.TunnelOutput.Write;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class TunnelTest {
  private static final OpenTunnel OPEN =
      OpenTunnel.newBuilder().setTarget(RelayTarget.RELAY_TARGET_SESSION).build();

  private final CreditBudget budget = new CreditBudget(1L << 30);
  private final CountedPayload.Ledger ledger = new CountedPayload.Ledger();

  @Test
  void child_starts_sendsOpenAndReads() {
    assertThat(outputs(Tunnel.opening(OPEN, budget)))
        .containsExactly(new Send(new Frame.Open(OPEN)), new Read());
  }

  @Test
  void parent_open_connectsAndThenSaysOpened() {
    Tunnel tunnel = Tunnel.answering(budget);
    tunnel.received(new Frame.Open(OPEN));
    assertThat(outputs(tunnel)).containsExactly(new Connect(OPEN));

    tunnel.localConnected();

    assertThat(outputs(tunnel)).containsExactly(new Send(new Frame.Opened()), new Read());
  }

  @Test
  void parent_dataBeforeConnected_isWrittenAfterwards() {
    Tunnel tunnel = Tunnel.answering(budget);
    tunnel.received(new Frame.Open(OPEN));
    CountedPayload data = payload(100);
    tunnel.received(new Frame.Data(data));
    tunnel.received(new Frame.Fin());
    assertThat(outputs(tunnel)).containsExactly(new Connect(OPEN));

    tunnel.localConnected();

    assertThat(outputs(tunnel))
        .containsExactly(new Send(new Frame.Opened()), new Write(data), new Read());
    tunnel.localWritten(100);
    assertThat(outputs(tunnel)).containsExactly(new ShutdownOutput());
  }

  @Test
  void parent_targetUnreachable_resets() {
    Tunnel tunnel = Tunnel.answering(budget);
    tunnel.received(new Frame.Open(OPEN));
    outputs(tunnel);

    tunnel.localFailed("TARGET_UNREACHABLE", "connection refused");

    assertThat(outputs(tunnel))
        .containsExactly(
            new Send(new Frame.Reset("TARGET_UNREACHABLE", "connection refused")),
            new Abort(),
            new End(new TunnelEnd.Broken("TARGET_UNREACHABLE", "connection refused", false)));
  }

  @Test
  void localEof_withDataUnsent_finFollowsTheLastByte() {
    Tunnel tunnel = opened();
    CountedPayload data = payload(10);
    tunnel.localData(data);
    tunnel.localEof();
    assertThat(outputs(tunnel)).isEmpty();

    tunnel.streamReady();

    assertThat(outputs(tunnel))
        .containsExactly(new Send(new Frame.Data(data)), new Send(new Frame.Fin()));
  }

  @Test
  void localData_withoutCredit_isNotReadUntilCreditComes() {
    Tunnel tunnel = opened();
    tunnel.streamReady();
    tunnel.localData(payload(Tunnel.INITIAL_CREDIT));
    assertThat(outputs(tunnel)).hasSize(1).noneMatch(Read.class::isInstance);

    tunnel.received(new Frame.Credit(1000));

    assertThat(outputs(tunnel)).containsExactly(new Read());
    assertThat(tunnel.readAllowance()).isEqualTo(1000);
  }

  @Test
  void localData_beyondCredit_isSplit() {
    Tunnel tunnel = opened();
    tunnel.streamReady();
    tunnel.localData(payload(Tunnel.INITIAL_CREDIT + 7));
    List<TunnelOutput> first = outputs(tunnel);
    assertThat(first).hasSize(1);
    assertThat(sizeOfData(first.getFirst())).isEqualTo(Tunnel.INITIAL_CREDIT);

    tunnel.streamReady();
    tunnel.received(new Frame.Credit(100));

    List<TunnelOutput> second = outputs(tunnel);
    assertThat(sizeOfData(second.getFirst())).isEqualTo(7);
    assertThat(second.getLast()).isEqualTo(new Read());
  }

  @Test
  void bothFins_closeCleanly() {
    Tunnel tunnel = opened();
    tunnel.localEof();
    tunnel.received(new Frame.Fin());

    assertThat(outputs(tunnel))
        .containsExactly(
            new Send(new Frame.Fin()),
            new ShutdownOutput(),
            new Close(),
            new End(new TunnelEnd.Clean()));
  }

  @Test
  void streamEnded_beforeBothFins_resetsTheSocket() {
    Tunnel tunnel = opened();
    tunnel.received(new Frame.Fin());
    outputs(tunnel);

    tunnel.streamEnded(true, "closed");

    assertThat(outputs(tunnel))
        .containsExactly(new Abort(), new End(new TunnelEnd.Broken("LINK_LOST", "closed", false)));
  }

  @Test
  void streamEnded_whileTheLastBytesAreWritten_stillEndsCleanly() {
    Tunnel tunnel = opened();
    tunnel.localEof();
    tunnel.received(new Frame.Data(payload(5)));
    tunnel.received(new Frame.Fin());
    tunnel.streamEnded(true, "done");
    assertThat(outputs(tunnel)).noneMatch(End.class::isInstance);

    tunnel.localWritten(5);

    assertThat(outputs(tunnel))
        .containsExactly(new ShutdownOutput(), new Close(), new End(new TunnelEnd.Clean()));
  }

  @Test
  void moreDataThanCredit_isAProtocolError() {
    Tunnel tunnel = opened();
    tunnel.received(new Frame.Data(payload(Tunnel.INITIAL_CREDIT)));
    outputs(tunnel);

    CountedPayload beyond = payload(1);
    tunnel.received(new Frame.Data(beyond));

    assertThat(tunnel.end())
        .isInstanceOfSatisfying(
            TunnelEnd.Broken.class, broken -> assertThat(broken.code()).isEqualTo("PROTOCOL"));
  }

  @Test
  void dataAfterFin_isAProtocolError() {
    Tunnel tunnel = opened();
    tunnel.received(new Frame.Fin());
    tunnel.received(new Frame.Data(payload(1)));

    assertThat(tunnel.end()).isInstanceOf(TunnelEnd.Broken.class);
    assertThat(ledger.alive).isZero();
  }

  @Test
  void stalledReader_holdsNoMoreThanTheFirstCredit() {
    Tunnel tunnel = opened();
    tunnel.received(new Frame.Data(payload(Tunnel.INITIAL_CREDIT)));

    assertThat(outputs(tunnel)).noneMatch(TunnelTest::isCredit);
    assertThat(tunnel.heldBytes()).isEqualTo(Tunnel.INITIAL_CREDIT);
    assertThat(tunnel.stalled()).isTrue();
  }

  @Test
  void drainingReader_windowGrowsToItsBound() {
    Tunnel tunnel = opened();
    long credit = Tunnel.INITIAL_CREDIT;
    for (int i = 0; i < 1000; i++) {
      int chunk = (int) Math.min(credit, Tunnel.MAX_CHUNK);
      tunnel.received(new Frame.Data(payload(chunk)));
      tunnel.localWritten(chunk);
      credit += outputs(tunnel).stream().mapToLong(TunnelTest::creditOf).sum() - chunk;
      assertThat(credit).isPositive();
    }
    assertThat(tunnel.window()).isEqualTo(Tunnel.MAX_WINDOW);
    assertThat(budget.used()).isEqualTo(Tunnel.MAX_WINDOW - Tunnel.INITIAL_CREDIT);

    tunnel.streamEnded(false, "gone");

    assertThat(budget.used()).isZero();
  }

  private Tunnel opened() {
    Tunnel tunnel = Tunnel.opening(OPEN, budget);
    outputs(tunnel);
    return tunnel;
  }

  private CountedPayload payload(int size) {
    return new CountedPayload(ledger, 0, size);
  }

  private static int sizeOfData(TunnelOutput output) {
    return output instanceof Send(Frame.Data(Payload payload)) ? payload.size() : -1;
  }

  private static boolean isCredit(TunnelOutput output) {
    return output instanceof Send(Frame.Credit _);
  }

  private static long creditOf(TunnelOutput output) {
    return output instanceof Send(Frame.Credit(int bytes)) ? bytes : 0;
  }

  private static List<TunnelOutput> outputs(Tunnel tunnel) {
    List<TunnelOutput> all = new ArrayList<>();
    for (TunnelOutput next = tunnel.poll(); next != null; next = tunnel.poll()) {
      all.add(next);
    }
    return all;
  }
}
