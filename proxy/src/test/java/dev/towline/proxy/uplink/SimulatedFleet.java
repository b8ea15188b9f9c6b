package dev.towline.proxy.uplink;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.CloseSession;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.ProxyNotice;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkWelcome;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Agents, lanes and a manager around a real {@link UplinkMux}, with every delay, loss and stall
 * taken from a seed. Every byte is a function of agent, upstream, direction and offset, so that one
 * that is lost, repeated or in the wrong place is seen at the receiver.
 */
final class SimulatedFleet {
  static final int CREDIT = 8 << 10;
  private static final int RATE = 200;

  final UplinkLimits limits = new UplinkLimits(64 << 10, 64 << 10, 64 << 10);
  final List<Agent> agents = new ArrayList<>();
  final List<Agent> left = new ArrayList<>();
  final List<Wire> wires = new ArrayList<>();
  final UplinkMux mux;
  private final RandomGenerator random;
  private final Set<Long> usedNumbers = new HashSet<>();
  private long now;
  private int nextAgent;
  int announcements;
  long bytesChecked;
  private final int manyAgents = 24;

  SimulatedFleet(RandomGenerator random) {
    this.random = random;
    this.mux = new UplinkMux(limits, () -> now);
  }

  private static byte expectedByte(int agent, int upstream, boolean up, long offset) {
    long x = agent * 31L + upstream * 131L + (up ? 7 : 13) + offset * 2_654_435_761L;
    return (byte) (x ^ (x >>> 17));
  }

  private static ByteString stretch(int agent, int upstream, boolean up, long from, int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = expectedByte(agent, upstream, up, from + i);
    }
    return ByteString.copyFrom(bytes);
  }

  /** One agent, its stream to the proxy and its idea of the credit. */
  final class Agent implements AgentPort {
    final int id = nextAgent++;
    final ArrayDeque<UpFrame> toProxy = new ArrayDeque<>();
    final ArrayDeque<DownFrame> toAgent = new ArrayDeque<>();
    AgentLink link;
    int requested;
    boolean stalled;
    boolean ended;
    @Nullable String endCode;
    int upstream;
    int sendCredit;
    long sent;
    long received;
    int taken;

    @Override
    public boolean isReady() {
      return toAgent.size() < 2;
    }

    @Override
    public void send(DownFrame frame) {
      assertThat(isReady()).as("written while not ready").isTrue();
      assertThat(ended).as("written after the end").isFalse();
      toAgent.add(frame);
    }

    @Override
    public void request() {
      requested++;
      assertThat(requested).as("frames requested at once").isEqualTo(1);
    }

    @Override
    public void end(String code, String detail) {
      assertThat(ended).isFalse();
      ended = true;
      endCode = code;
    }

    void produce() {
      if (upstream == 0 || sendCredit == 0 || toProxy.size() > 4) {
        return;
      }
      int length = Math.min(sendCredit, 1 + random.nextInt(4_000));
      toProxy.add(
          UpFrame.newBuilder().setSealed(stretch(id, upstream, true, sent, length)).build());
      sent += length;
      sendCredit -= length;
    }

    void deliverUp() {
      if (requested > 0 && !toProxy.isEmpty() && !ended) {
        requested--;
        mux.agentFrame(link, toProxy.poll());
      }
    }

    void takeDown() {
      DownFrame frame = stalled ? null : toAgent.poll();
      if (frame == null) {
        return;
      }
      switch (frame.getPayloadCase()) {
        case NOTICE -> {
          if (frame.getNotice().getKind() == ProxyNotice.Kind.UPSTREAM_READY) {
            assertThat(frame.getNotice().getUpstream()).isGreaterThan(lastUpstream);
            upstream = (int) frame.getNotice().getUpstream();
            lastUpstream = upstream;
            sendCredit = frame.getNotice().getInitialCredit();
            sent = 0;
            received = 0;
            taken = 0;
            toProxy.add(UpFrame.newBuilder().setUpstream(upstream).build());
          } else {
            upstream = 0;
          }
        }
        case SEALED -> {
          ByteString bytes = frame.getSealed();
          assertThat(bytes).isEqualTo(stretch(id, upstream, false, received, bytes.size()));
          received += bytes.size();
          taken += bytes.size();
          bytesChecked += bytes.size();
        }
        case CREDIT -> sendCredit += frame.getCredit();
        case OPEN, PAYLOAD_NOT_SET -> throw new AssertionError("frame: " + frame);
      }
      if (!ended) {
        mux.agentReady(link);
      }
    }

    private int lastUpstream;

    void grant() {
      if (taken > 0 && upstream != 0) {
        toProxy.add(UpFrame.newBuilder().setCredit(taken).build());
        taken = 0;
      }
    }
  }

  /** A session as the manager sees it. */
  private static final class Session {
    int agent;
    int upstream;
    long received;
    long sent;
    int sendCredit = CREDIT;
    int taken;
  }

  /** A lane with the manager at its other end. */
  final class Wire implements LanePort {
    final UplinkHello.Lane kind;
    final ArrayDeque<UplinkFrame> toManager = new ArrayDeque<>();
    final ArrayDeque<DownlinkFrame> toProxy = new ArrayDeque<>();
    final Map<Long, Session> sessions = new HashMap<>();
    Lane lane;
    boolean stalled;

    Wire(UplinkHello.Lane kind) {
      this.kind = kind;
    }

    @Override
    public boolean isReady() {
      return toManager.size() < 6;
    }

    @Override
    public void send(UplinkFrame frame) {
      assertThat(isReady()).as("written while not ready").isTrue();
      toManager.add(frame);
    }

    void takeUp() {
      UplinkFrame frame = stalled ? null : toManager.poll();
      if (frame == null) {
        return;
      }
      long number = frame.getSession();
      switch (frame.getFrameCase()) {
        case OPEN -> {
          assertThat(usedNumbers.add(number)).as("number %d used twice", number).isTrue();
          var session = new Session();
          String[] claim = frame.getOpen().getClaimedIdentity().split("/");
          session.agent = Integer.parseInt(claim[claim.length - 1]);
          sessions.put(number, session);
          announcements++;
        }
        case SEALED -> {
          Session session = sessions.get(number);
          if (session != null) {
            ByteString bytes = frame.getSealed();
            if (session.upstream == 0) {
              session.upstream = upstreamStartingWith(session.agent, bytes);
            }
            assertThat(bytes)
                .isEqualTo(
                    stretch(session.agent, session.upstream, true, session.received, bytes.size()));
            session.received += bytes.size();
            session.taken += bytes.size();
            assertThat(session.taken).isLessThanOrEqualTo(CREDIT);
            bytesChecked += bytes.size();
          }
        }
        case CREDIT -> {
          Session session = sessions.get(number);
          if (session != null) {
            session.sendCredit += frame.getCredit();
            assertThat(session.sendCredit).isLessThanOrEqualTo(CREDIT);
          }
        }
        case CLOSE -> sessions.remove(number);
        case HELLO, KEPT, REPORT, FRAME_NOT_SET -> throw new AssertionError("frame: " + frame);
      }
      mux.laneReady(lane);
    }

    private int upstreamStartingWith(int agent, ByteString bytes) {
      for (Agent candidate : everyAgent()) {
        if (candidate.id == agent) {
          int upstream = candidate.link.upstream;
          assertThat(bytes).isEqualTo(stretch(agent, upstream, true, 0, bytes.size()));
          return upstream;
        }
      }
      throw new AssertionError("agent " + agent + " is unknown");
    }

    void produceDown() {
      List<Map.Entry<Long, Session>> open =
          sessions.entrySet().stream().filter(e -> e.getValue().upstream > 0).toList();
      if (open.isEmpty() || toProxy.size() > 50) {
        return;
      }
      var entry = open.get(random.nextInt(open.size()));
      Session session = entry.getValue();
      if (session.sendCredit > 0) {
        int length = Math.min(session.sendCredit, 1 + random.nextInt(2_000));
        toProxy.add(
            DownlinkFrame.newBuilder()
                .setSession(entry.getKey())
                .setSealed(stretch(session.agent, session.upstream, false, session.sent, length))
                .build());
        session.sent += length;
        session.sendCredit -= length;
      }
    }

    void grant() {
      sessions.forEach((number, session) -> {
        if (session.taken > 0 && random.nextBoolean()) {
          toProxy.add(
              DownlinkFrame.newBuilder().setSession(number).setCredit(session.taken).build());
          session.taken = 0;
        }
      });
    }

    void closeOne() {
      if (!sessions.isEmpty()) {
        List<Long> numbers = List.copyOf(sessions.keySet());
        long number = numbers.get(random.nextInt(numbers.size()));
        sessions.remove(number);
        toProxy.add(
            DownlinkFrame.newBuilder()
                .setSession(number)
                .setClose(CloseSession.newBuilder().setCode("SESSION_SUPERSEDED"))
                .build());
      }
    }

    void deliverDown() {
      DownlinkFrame frame = toProxy.poll();
      if (frame != null) {
        mux.laneFrame(lane, frame);
      }
    }
  }

  private List<Agent> everyAgent() {
    List<Agent> all = new ArrayList<>(agents);
    all.addAll(left);
    return all;
  }

  void connectAgent() {
    if (agents.size() < manyAgents) {
      var agent = new Agent();
      agents.add(agent);
      agent.link = mux.agentOpened(agent, "spiffe://fleet/agent/" + agent.id, "1", "192.0.2.1");
    }
  }

  void disconnectAgent() {
    if (!agents.isEmpty()) {
      Agent agent = agents.remove(random.nextInt(agents.size()));
      agent.ended = true;
      left.add(agent);
      mux.agentClosed(agent.link, UplinkMux.AGENT_GONE);
    }
  }

  void raise(UplinkHello.Lane kind) {
    if (wires.size() < 3) {
      var wire = new Wire(kind);
      wires.add(wire);
      wire.lane =
          mux.laneUp(
              wire,
              kind,
              UplinkWelcome.newBuilder()
                  .setInitialCredit(CREDIT)
                  .setSessionsPerSecond(RATE)
                  .build());
    }
  }

  void breakWire() {
    if (!wires.isEmpty()) {
      Wire wire = wires.remove(random.nextInt(wires.size()));
      mux.laneDown(wire.lane);
    }
  }

  void passTime() {
    now += random.nextLong(20_000_000);
    if (mux.wantsTick()) {
      mux.tick();
    }
  }

  Wire anyWire() {
    return wires.get(random.nextInt(wires.size()));
  }

  Agent anyAgent() {
    return agents.get(random.nextInt(agents.size()));
  }

  /** Agents whose stream the proxy ended leave. */
  void sweep() {
    agents.removeIf(agent -> {
      if (agent.ended) {
        left.add(agent);
      }
      return agent.ended;
    });
  }

  void checkInvariants() {
    UplinkStats stats = mux.stats();
    assertThat(stats.queuedUp()).isBetween(0L, limits.upBudget());
    assertThat(stats.queuedDown()).isBetween(0L, limits.downBudget());
    long up = 0;
    long down = 0;
    for (Agent agent : everyAgent()) {
      AgentLink link = agent.link;
      up += link.pendingUp == null ? 0 : link.pendingUp.size();
      down += link.downBytes;
      assertThat(link.upCredit).isBetween(0, CREDIT);
      assertThat(link.downCredit).isBetween(0, CREDIT);
      assertThat(link.downBytes).isBetween(0, CREDIT);
    }
    assertThat(stats.queuedUp()).isEqualTo(up);
    assertThat(stats.queuedDown()).isEqualTo(down);
    assertThat(stats.clients()).isEqualTo((int) agents.stream().filter(a -> !a.ended).count());
  }

  /** Every session's bytes have arrived at both ends. */
  void checkSettled() {
    Map<Integer, Session> byAgent = new HashMap<>();
    for (Wire wire : wires) {
      for (Session session : wire.sessions.values()) {
        assertThat(byAgent.put(session.agent, session)).isNull();
      }
    }
    assertThat(byAgent).hasSize(agents.size());
    for (Agent agent : agents) {
      Session session = byAgent.get(agent.id);
      assertThat(session).isNotNull();
      assertThat(session.received).as("bytes of agent %d", agent.id).isEqualTo(agent.sent);
      assertThat(agent.received).as("bytes for agent %d", agent.id).isEqualTo(session.sent);
    }
    assertThat(mux.stats().queuedUp()).isZero();
    assertThat(mux.stats().queuedDown()).isZero();
    assertThat(mux.stats().announced()).isEqualTo(agents.size());
  }

  RandomGenerator random() {
    return random;
  }
}
