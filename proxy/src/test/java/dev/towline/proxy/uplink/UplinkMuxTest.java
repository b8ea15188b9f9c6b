package dev.towline.proxy.uplink;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.ClientChange;
import dev.towline.proto.v1.CloseSession;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.KeptAck;
import dev.towline.proto.v1.ProxyNotice;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkWelcome;
import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The rules of the uplink, one at a time. */
@Requirement("P6")
class UplinkMuxTest {
  private static final int CREDIT = 8 << 10;

  private long now;
  private final UplinkMux mux = new UplinkMux(UplinkLimits.DEFAULTS, () -> now);
  private final ScriptedLane control = new ScriptedLane();

  private static final class ScriptedLane implements LanePort {
    final List<UplinkFrame> sent = new ArrayList<>();
    boolean ready = true;

    @Override
    public boolean isReady() {
      return ready;
    }

    @Override
    public void send(UplinkFrame frame) {
      assertThat(ready).isTrue();
      sent.add(frame);
    }

    List<UplinkFrame> takeSent() {
      List<UplinkFrame> taken = List.copyOf(sent);
      sent.clear();
      return taken;
    }
  }

  private final class ScriptedAgent implements AgentPort {
    final List<DownFrame> got = new ArrayList<>();
    final AgentLink link;
    boolean ready = true;
    int requested;
    String endCode = "";

    ScriptedAgent(String id) {
      link = mux.agentOpened(this, "spiffe://f/agent/" + id, "1", "192.0.2.7");
    }

    @Override
    public boolean isReady() {
      return ready;
    }

    @Override
    public void send(DownFrame frame) {
      assertThat(ready).isTrue();
      got.add(frame);
    }

    @Override
    public void request() {
      requested++;
    }

    @Override
    public void end(String code, String detail) {
      endCode = code;
    }

    ScriptedAgent answering() {
      mux.agentFrame(link, UpFrame.newBuilder().setUpstream(link.upstream).build());
      return this;
    }

    void sends(int bytes) {
      mux.agentFrame(link, UpFrame.newBuilder().setSealed(zeros(bytes)).build());
    }

    List<ProxyNotice.Kind> notices() {
      return got.stream().filter(DownFrame::hasNotice).map(f -> f.getNotice().getKind()).toList();
    }
  }

  private Lane lane;

  @BeforeEach
  void raise() {
    lane = mux.laneUp(control, UplinkHello.Lane.CONTROL, welcome(1_000));
  }

  private static UplinkWelcome welcome(int rate) {
    return UplinkWelcome.newBuilder().setInitialCredit(CREDIT).setSessionsPerSecond(rate).build();
  }

  private static ByteString zeros(int bytes) {
    return ByteString.copyFrom(new byte[bytes]);
  }

  private static DownlinkFrame.Builder to(ScriptedAgent agent) {
    return DownlinkFrame.newBuilder().setSession(agent.link.number);
  }

  @Test
  @Requirement("P7")
  void agents_comingAndGoingWhileNoManagerSees_areNoted() {
    List<ClientChange> seen = new ArrayList<>();
    mux.kept(
        new KeptQueue() {
          @Override
          public boolean keep(String id, SignedLogBatch batch, Consumer<RecordAck> kept) {
            return false;
          }

          @Override
          public boolean keep(String id, SealedRecord record, Consumer<RecordAck> kept) {
            kept.accept(RecordAck.newBuilder().setId(record.getId()).build());
            return true;
          }

          @Override
          public void changed(ClientChange change) {
            seen.add(change);
          }

          @Override
          public void way(long number) {}

          @Override
          public void sentBeside(int bytes) {}

          @Override
          public void share(long bandwidth) {}

          @Override
          public void acknowledged(KeptAck ack) {}
        },
        Runnable::run);
    var first = new ScriptedAgent("a1").answering();
    assertThat(seen).isEmpty();
    mux.laneDown(lane);

    var second = new ScriptedAgent("a2");
    mux.agentFrame(
        second.link, UpFrame.newBuilder().setRecord(SealedRecord.newBuilder().setId("r1")).build());
    mux.agentClosed(first.link, UplinkMux.AGENT_GONE);

    assertThat(seen)
        .containsExactly(
            ClientChange.newBuilder()
                .setAgent("spiffe://f/agent/a2")
                .setCame(true)
                .setSourceAddress("192.0.2.7")
                .build(),
            ClientChange.newBuilder()
                .setAgent("spiffe://f/agent/a1")
                .setCode(UplinkMux.AGENT_GONE)
                .build());
    assertThat(second.got).anyMatch(frame -> frame.getLogAck().getId().equals("r1"));
  }

  @Test
  void agent_whoseFrameWaits_isNotReadUntilItHasGone() {
    var agent = new ScriptedAgent("a1").answering();
    int before = agent.requested;
    control.ready = false;

    agent.sends(100);

    assertThat(agent.requested).isEqualTo(before);
    control.ready = true;
    mux.laneReady(lane);
    assertThat(agent.requested).isEqualTo(before + 1);
  }

  @Test
  void lane_readyAgain_sessionsTakeTurns() {
    var busy = new ScriptedAgent("busy").answering();
    var quiet = new ScriptedAgent("quiet").answering();
    mux.laneFrame(lane, to(busy).setSealed(zeros(1_000)).build());
    control.ready = false;
    busy.sends(3_000);
    mux.agentFrame(busy.link, UpFrame.newBuilder().setCredit(1_000).build());
    quiet.sends(10);
    control.takeSent();

    control.ready = true;
    mux.laneReady(lane);

    assertThat(control.takeSent())
        .extracting(UplinkFrame::getSession)
        .containsExactly(busy.link.number, quiet.link.number, busy.link.number);
  }

  @Test
  void announcements_areMeteredByTheManagersRate() {
    mux.laneDown(lane);
    for (int i = 0; i < 100; i++) {
      var _ = new ScriptedAgent("a" + i);
    }
    lane = mux.laneUp(control, UplinkHello.Lane.CONTROL, welcome(100));
    assertThat(control.takeSent()).hasSize(10);

    now += Duration.ofMillis(200).toNanos();
    mux.tick();
    now += Duration.ofMillis(50).toNanos();
    mux.tick();

    assertThat(control.takeSent()).hasSize(15);
    assertThat(mux.stats().waiting()).isEqualTo(75);
    assertThat(mux.wantsTick()).isTrue();
  }

  @Test
  void laneLost_lateBytes_neverReachTheNextSession() {
    var agent = new ScriptedAgent("a1").answering();
    long first = agent.link.number;
    mux.laneDown(lane);
    lane = mux.laneUp(control, UplinkHello.Lane.CONTROL, welcome(1_000));
    control.takeSent();

    agent.sends(500);
    agent.answering();
    agent.sends(7);

    assertThat(agent.notices())
        .containsExactly(
            ProxyNotice.Kind.UPSTREAM_READY,
            ProxyNotice.Kind.UPSTREAM_LOST,
            ProxyNotice.Kind.UPSTREAM_READY);
    List<UplinkFrame> sent = control.takeSent();
    assertThat(sent).hasSize(1);
    assertThat(sent.getFirst().getSealed().size()).isEqualTo(7);
    assertThat(sent.getFirst().getSession()).isGreaterThan(first);
    assertThat(mux.stats().discardedBytes()).isEqualTo(500);
  }

  @Test
  void manager_thatOverrunsACredit_losesThatSessionOnly() {
    var agent = new ScriptedAgent("a1").answering();
    var other = new ScriptedAgent("a2").answering();
    long number = agent.link.number;
    mux.laneFrame(lane, to(agent).setSealed(zeros(CREDIT)).build());
    control.takeSent();

    mux.laneFrame(lane, to(agent).setSealed(zeros(1)).build());

    assertThat(agent.endCode).isEqualTo(UplinkMux.CREDIT_OVERRUN);
    assertThat(other.endCode).isEmpty();
    assertThat(control.takeSent())
        .singleElement()
        .satisfies(frame -> {
          assertThat(frame.getSession()).isEqualTo(number);
          assertThat(frame.getClose().getCode()).isEqualTo(UplinkMux.CREDIT_OVERRUN);
        });
  }

  @Test
  void managerCloses_slowAgent_getsWhatWasSentBefore() {
    var agent = new ScriptedAgent("a1").answering();
    agent.ready = false;
    mux.laneFrame(lane, to(agent).setSealed(zeros(900)).build());
    DownlinkFrame close =
        to(agent).setClose(CloseSession.newBuilder().setCode("SESSION_SUPERSEDED")).build();
    mux.laneFrame(lane, close);
    assertThat(agent.endCode).isEmpty();

    agent.ready = true;
    mux.agentReady(agent.link);

    assertThat(agent.got.getLast().getSealed().size()).isEqualTo(900);
    assertThat(agent.endCode).isEqualTo("SESSION_SUPERSEDED");
    assertThat(mux.stats().clients()).isZero();
    assertThat(mux.stats().queuedDown()).isZero();
  }

  @Test
  void agent_thatSpeaksOpenly_isEnded() {
    var agent = new ScriptedAgent("a1").answering();

    mux.agentFrame(
        agent.link, UpFrame.newBuilder().setOpen(AgentFrame.getDefaultInstance()).build());

    assertThat(agent.endCode).isEqualTo(UplinkMux.UNEXPECTED_FRAME);
  }

  @Test
  @Requirement("T3")
  void endWhere_revokedIdentity_endsItAtBothEnds() {
    var revoked = new ScriptedAgent("a1").answering();
    var other = new ScriptedAgent("a2").answering();
    control.takeSent();

    mux.endWhere((uri, serial) -> uri.endsWith("/a1"), "CERTIFICATE_REVOKED", "revoked");

    assertThat(revoked.endCode).isEqualTo("CERTIFICATE_REVOKED");
    assertThat(other.endCode).isEmpty();
    assertThat(control.takeSent()).singleElement().matches(UplinkFrame::hasClose);
  }

  @Test
  @Requirement("P12")
  void drain_presentAndComingAgents_areAskedToMove() {
    var present = new ScriptedAgent("a1");

    mux.drain();
    var coming = new ScriptedAgent("a2");

    assertThat(present.notices()).contains(ProxyNotice.Kind.DRAINING);
    assertThat(coming.notices()).contains(ProxyNotice.Kind.DRAINING);
  }
}
