package dev.towline.proxy.uplink;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ClientChange;
import dev.towline.proto.v1.CloseSession;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.OpenSession;
import dev.towline.proto.v1.ProxyNotice;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkReport;
import dev.towline.proto.v1.UplinkWelcome;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;
import java.util.concurrent.Executor;
import java.util.function.BiPredicate;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Carries the sessions of a proxy's agents over the lanes of one uplink.
 *
 * <p>Each agent has at most one frame of its own waiting here: it is asked for the next when that
 * one has gone. What waits for an agent is bounded by the session's credit. Both directions have a
 * budget for all sessions together; past half of it agents are no longer read, at the end of it
 * sessions are ended, the one that has been stuck longest first. Waiting sessions of a lane take
 * turns, one frame each.
 *
 * <p>Lifecycle: agents and lanes come and go in any order. A session is announced when a control
 * lane is up and the manager's rate allows it, dies with that lane and is announced anew, while its
 * agent stays.
 *
 * <p>Threading: not thread-safe and free of locks; one serial order makes all calls, ports
 * included.
 *
 * <p>Failure: who overruns a credit loses the session, with a code, and nobody else notices.
 */
public final class UplinkMux {
  public static final String AGENT_GONE = "AGENT_GONE";
  public static final String CREDIT_OVERRUN = "CREDIT_OVERRUN";
  public static final String UPLINK_CONGESTED = "UPLINK_CONGESTED";
  public static final String SLOW_READER = "SLOW_READER";
  public static final String UNEXPECTED_FRAME = "UNEXPECTED_FRAME";

  private final UplinkLimits limits;
  private final LongSupplier nanoClock;
  private final ByteBudget upBudget;
  private final ByteBudget downBudget;
  private final AnnounceMeter meter = new AnnounceMeter();
  private final LinkRegister links = new LinkRegister();
  private final List<Lane> lanes = new ArrayList<>();
  private final SequencedSet<AgentLink> waiting = new LinkedHashSet<>();
  private final SequencedSet<AgentLink> paused = new LinkedHashSet<>();
  private final SequencedSet<AgentLink> stalled = new LinkedHashSet<>();
  private final Counts counts = new Counts();
  private final KeptWay kept = new KeptWay();
  private Executor serial = Runnable::run;
  private long lastNumber;
  private boolean draining;

  /**
   * @param nanoClock as {@link System#nanoTime}
   */
  public UplinkMux(UplinkLimits limits, LongSupplier nanoClock) {
    this.limits = limits;
    this.nanoClock = nanoClock;
    this.upBudget = new ByteBudget(limits.upBudget());
    this.downBudget = new ByteBudget(limits.downBudget());
  }

  /**
   * What agents log goes here from now on.
   *
   * @param order runs what comes from other threads in the serial order
   */
  public void kept(KeptQueue queue, Executor order) {
    serial = order;
    kept.attach(queue);
  }

  // Lanes

  /** A lane is up: the manager has answered its hello. */
  public Lane laneUp(LanePort port, UplinkHello.Lane kind, UplinkWelcome welcome) {
    int credit =
        welcome.getInitialCredit() > 0 ? welcome.getInitialCredit() : UplinkLimits.DEFAULT_CREDIT;
    var lane = new Lane(port, kind, Math.min(credit, limits.maxInitialCredit()));
    if (lane.control() && lanes.stream().noneMatch(Lane::control)) {
      meter.reset(welcome.getSessionsPerSecond(), nanoClock.getAsLong());
    }
    lanes.add(lane);
    kept.choose(lanes);
    announce();
    return lane;
  }

  /** A lane broke. Its sessions are dead; their agents wait for another. */
  public void laneDown(Lane lane) {
    if (!lanes.remove(lane)) {
      return;
    }
    List<AgentLink> orphans = new ArrayList<>(lane.sessions.values());
    lane.sessions.clear();
    lane.queue.clear();
    lane.forgetKept();
    kept.choose(lanes);
    for (AgentLink link : orphans) {
      detach(link);
      if (link.portGone) {
        continue;
      }
      clearDown(link);
      toAgent(link, notice(ProxyNotice.Kind.UPSTREAM_LOST).build(), 0);
      waiting.add(link);
      requestMore(link);
    }
    resumePaused();
    announce();
  }

  /** A lane can take frames again. */
  public void laneReady(Lane lane) {
    while (lane.port.isReady() && !lane.queue.isEmpty()) {
      AgentLink link = lane.queue.poll();
      link.queuedUp = false;
      if (link.lane == lane) {
        sendOne(link, lane);
        takeTurn(link, lane);
      }
    }
    lane.sendKept();
    resumePaused();
    announce();
  }

  /** A frame of the manager. */
  public void laneFrame(Lane lane, DownlinkFrame frame) {
    if (frame.hasShare() || frame.hasKeptAck()) {
      kept.heard(lane, frame);
      return;
    }
    AgentLink link = lane.sessions.get(frame.getSession());
    if (link == null || link.portGone || link.endCode != null) {
      return;
    }
    switch (frame.getFrameCase()) {
      case SEALED -> sealedDown(link, frame.getSealed());
      case CREDIT -> creditDown(link, lane, frame.getCredit());
      case CLOSE -> {
        lane.sessions.remove(link.number);
        detach(link);
        endAgent(link, frame.getClose().getCode(), frame.getClose().getDetail());
      }
      case WELCOME, KEPT_ACK, SHARE, FRAME_NOT_SET -> {}
    }
  }

  // Agents

  /** An agent's stream is there. */
  public AgentLink agentOpened(AgentPort port, String identity, String serial, String source) {
    var link = new AgentLink(port, identity, serial, source);
    links.add(link);
    requestMore(link);
    if (draining) {
      toAgent(link, notice(ProxyNotice.Kind.DRAINING).build(), 0);
    }
    waiting.add(link);
    announce();
    if (isAlone()) {
      kept.queue().changed(change(link).setCame(true).setSourceAddress(source).build());
    }
    return link;
  }

  /** A frame of an agent, one for each that was requested. */
  public void agentFrame(AgentLink link, UpFrame frame) {
    link.reading = false;
    if (link.portGone || link.endCode != null) {
      return;
    }
    switch (frame.getPayloadCase()) {
      case SEALED -> sealedUp(link, frame.getSealed());
      case CREDIT -> creditUp(link, frame.getCredit());
      case UPSTREAM -> link.current = link.number != 0 && frame.getUpstream() == link.upstream;
      case LOG_BATCH -> logUp(link, frame.getLogBatch());
      case RECORD -> {
        if (!kept.queue()
            .keep(
                link.identity,
                frame.getRecord(),
                ack -> serial.execute(() -> logKept(link, ack)))) {
          counts.recordsDropped++;
        }
      }
      case OPEN, PAYLOAD_NOT_SET ->
          endBoth(
              link,
              UNEXPECTED_FRAME,
              "an agent talks to a manager through a proxy in sealed frames");
    }
    requestMore(link);
  }

  /** An agent's stream can take frames again. */
  public void agentReady(AgentLink link) {
    if (link.portGone) {
      return;
    }
    ArrayDeque<DownFrame> down = link.down;
    while (down != null && !down.isEmpty() && link.port.isReady()) {
      DownFrame frame = down.poll();
      int size = frame.getSealed().size();
      link.downBytes -= size;
      downBudget.give(size);
      link.port.send(frame);
    }
    if (down != null && down.isEmpty()) {
      link.down = null;
      stalled.remove(link);
    }
    if (link.down == null && link.pendingDownCredit > 0 && link.port.isReady()) {
      link.port.send(DownFrame.newBuilder().setCredit(link.pendingDownCredit).build());
      link.pendingDownCredit = 0;
    }
    if (link.down == null && link.endCode != null) {
      endPort(link, link.endCode, link.endDetail);
    }
  }

  /** An agent's stream is gone. What it sent before still goes up. */
  public void agentClosed(AgentLink link, String code) {
    if (link.portGone) {
      return;
    }
    forgetPort(link, code);
    if (link.number != 0) {
      link.closeUp = code;
      queueUp(link);
    }
  }

  /** No manager sees what agents do. */
  private boolean isAlone() {
    return lanes.stream().noneMatch(Lane::control);
  }

  private static ClientChange.Builder change(AgentLink link) {
    return ClientChange.newBuilder().setAgent(link.identity);
  }

  // The whole

  /** Announces what the rate allows by now; to be called now and then while {@link #wantsTick}. */
  public void tick() {
    announce();
  }

  public boolean wantsTick() {
    return !waiting.isEmpty() && !isAlone();
  }

  /** Asks every agent, and those that still come, to move to another proxy. */
  public void drain() {
    draining = true;
    for (AgentLink link : links.all()) {
      if (link.endCode == null) {
        toAgent(link, notice(ProxyNotice.Kind.DRAINING).build(), 0);
      }
    }
  }

  /** Agents are welcome again. */
  public void resume() {
    draining = false;
  }

  /** Ends every agent's stream. */
  public void endAll(String code, String detail) {
    for (AgentLink link : links.all()) {
      endBoth(link, code, detail);
    }
  }

  /**
   * Ends the streams of agents that may no longer be here, for instance because of a revocation.
   */
  public void endWhere(BiPredicate<String, String> refused, String code, String detail) {
    for (AgentLink link : links.all()) {
      if (refused.test(link.identity, link.serial)) {
        endBoth(link, code, detail);
      }
    }
  }

  public UplinkStats stats() {
    int announced = lanes.stream().mapToInt(lane -> lane.sessions.size()).sum();
    long bulk = lanes.stream().mapToLong(Lane::keptBytes).sum();
    return new UplinkStats(
        links.size(),
        announced,
        waiting.size(),
        lanes.size(),
        upBudget.used() + bulk,
        downBudget.used(),
        counts.bytesUp,
        counts.bytesDown,
        counts.discarded,
        counts.shed,
        counts.overruns,
        counts.logDropped + counts.recordsDropped);
  }

  // Towards the manager

  private void announce() {
    while (!waiting.isEmpty()) {
      Lane lane = leastLoaded();
      if (lane == null || !meter.tryTake(nanoClock.getAsLong())) {
        return;
      }
      AgentLink link = waiting.removeFirst();
      link.lane = lane;
      link.number = ++lastNumber;
      link.upstream++;
      link.upCredit = lane.initialCredit;
      link.downCredit = lane.initialCredit;
      lane.sessions.put(link.number, link);
      kept.beside(
          lane,
          UplinkFrame.newBuilder()
              .setSession(link.number)
              .setOpen(
                  OpenSession.newBuilder()
                      .setClaimedIdentity(link.identity)
                      .setSourceAddress(link.source))
              .build());
      toAgent(
          link,
          notice(ProxyNotice.Kind.UPSTREAM_READY)
              .setNotice(
                  ProxyNotice.newBuilder()
                      .setKind(ProxyNotice.Kind.UPSTREAM_READY)
                      .setUpstream(link.upstream)
                      .setInitialCredit(lane.initialCredit))
              .build(),
          0);
      requestMore(link);
    }
  }

  private @Nullable Lane leastLoaded() {
    Lane best = null;
    for (Lane lane : lanes) {
      if (lane.control()
          && lane.port.isReady()
          && (best == null || lane.sessions.size() < best.sessions.size())) {
        best = lane;
      }
    }
    return best;
  }

  private void sealedUp(AgentLink link, ByteString bytes) {
    if (!link.current) {
      counts.discarded += bytes.size();
      return;
    }
    if (bytes.size() > link.upCredit || bytes.size() > UplinkLimits.MAX_AGENT_PIECE) {
      counts.overruns++;
      endBoth(
          link,
          CREDIT_OVERRUN,
          "%d bytes sent (expected: at most %d)".formatted(bytes.size(), link.upCredit));
      return;
    }
    if (!upBudget.hasRoomFor(bytes.size())) {
      counts.shed++;
      endBoth(link, UPLINK_CONGESTED, "the way to the manager has no room");
      return;
    }
    link.upCredit -= bytes.size();
    link.pendingUp = bytes;
    upBudget.take(bytes.size());
    queueUp(link);
  }

  private void creditUp(AgentLink link, int credit) {
    Lane lane = link.lane;
    if (!link.current || lane == null) {
      return;
    }
    if (credit < 0 || credit > lane.initialCredit - link.downCredit) {
      counts.overruns++;
      endBoth(
          link,
          CREDIT_OVERRUN,
          "credit of %d bytes (expected: at most %d)"
              .formatted(credit, lane.initialCredit - link.downCredit));
      return;
    }
    link.downCredit += credit;
    link.pendingUpCredit += credit;
    queueUp(link);
  }

  private void logUp(AgentLink link, SignedLogBatch batch) {
    if (!kept.queue().keep(link.identity, batch, ack -> serial.execute(() -> logKept(link, ack)))) {
      counts.logDropped++;
    }
  }

  private void logKept(AgentLink link, RecordAck ack) {
    if (!link.portGone && link.endCode == null) {
      toAgent(link, DownFrame.newBuilder().setLogAck(ack).build(), 0);
    }
  }

  /**
   * Sends a record of the spool behind everything else on its lane; ignored when that way is gone.
   *
   * @param way it is meant for
   */
  public void sendKept(long way, KeptRecord record) {
    kept.send(way, record);
  }

  /** Tells the manager how the spool stands; ignored when that way is gone. */
  public void sendReport(long way, UplinkReport report) {
    kept.report(way, report);
  }

  /** Sends what the session has to say now, or takes its turn in the lane's queue. */
  private void queueUp(AgentLink link) {
    Lane lane = link.lane;
    if (lane == null || link.queuedUp) {
      return;
    }
    while (lane.queue.isEmpty() && lane.port.isReady() && hasSomethingUp(link)) {
      sendOne(link, lane);
    }
    takeTurn(link, lane);
  }

  private static void takeTurn(AgentLink link, Lane lane) {
    if (hasSomethingUp(link) && !link.queuedUp) {
      link.queuedUp = true;
      lane.queue.add(link);
    }
  }

  private static boolean hasSomethingUp(AgentLink link) {
    return link.number != 0
        && (link.pendingUpCredit > 0 || link.pendingUp != null || link.closeUp != null);
  }

  /** One frame of one session. */
  private void sendOne(AgentLink link, Lane lane) {
    ByteString bytes = link.pendingUp;
    String close = link.closeUp;
    if (link.pendingUpCredit > 0 && close == null) {
      kept.beside(lane, upFrame(link).setCredit(link.pendingUpCredit).build());
      link.pendingUpCredit = 0;
    } else if (bytes != null) {
      link.pendingUp = null;
      upBudget.give(bytes.size());
      counts.bytesUp += bytes.size();
      kept.beside(lane, upFrame(link).setSealed(bytes).build());
    } else if (close != null) {
      kept.beside(lane, upFrame(link).setClose(CloseSession.newBuilder().setCode(close)).build());
      lane.sessions.remove(link.number);
      detach(link);
    }
    requestMore(link);
  }

  private static UplinkFrame.Builder upFrame(AgentLink link) {
    return UplinkFrame.newBuilder().setSession(link.number);
  }

  // Towards the agent

  private void sealedDown(AgentLink link, ByteString bytes) {
    if (bytes.size() > link.downCredit || bytes.size() > UplinkLimits.MAX_UPLINK_PIECE) {
      counts.overruns++;
      endBoth(
          link,
          CREDIT_OVERRUN,
          "the manager sent %d bytes (expected: at most %d)"
              .formatted(bytes.size(), link.downCredit));
      return;
    }
    link.downCredit -= bytes.size();
    counts.bytesDown += bytes.size();
    toAgent(link, DownFrame.newBuilder().setSealed(bytes).build(), bytes.size());
  }

  private void creditDown(AgentLink link, Lane lane, int credit) {
    if (credit < 0 || credit > lane.initialCredit - link.upCredit) {
      counts.overruns++;
      endBoth(
          link,
          CREDIT_OVERRUN,
          "the manager gave a credit of %d bytes (expected: at most %d)"
              .formatted(credit, lane.initialCredit - link.upCredit));
      return;
    }
    link.upCredit += credit;
    link.pendingDownCredit += credit;
    agentReady(link);
  }

  private static DownFrame.Builder notice(ProxyNotice.Kind kind) {
    return DownFrame.newBuilder().setNotice(ProxyNotice.newBuilder().setKind(kind));
  }

  private void toAgent(AgentLink link, DownFrame frame, int bytes) {
    if (link.down == null && link.port.isReady()) {
      link.port.send(frame);
      return;
    }
    while (!downBudget.hasRoomFor(bytes)) {
      // Something waits, or there would be room.
      AgentLink slowest = stalled.getFirst();
      counts.shed++;
      endBoth(slowest, SLOW_READER, "the agent did not take what was sent to it");
      if (slowest == link) {
        return;
      }
    }
    if (link.down == null) {
      link.down = new ArrayDeque<>(2);
      stalled.add(link);
    }
    downBudget.take(bytes);
    link.downBytes += bytes;
    link.down.add(frame);
  }

  // Ends

  /** The session has ended upstream: the agent gets what is queued and then the end. */
  private void endAgent(AgentLink link, String code, String detail) {
    if (link.down == null) {
      endPort(link, code, detail);
    } else {
      link.endCode = code;
      link.endDetail = detail;
    }
  }

  private void endBoth(AgentLink link, String code, String detail) {
    if (link.portGone) {
      return;
    }
    releaseUp(link);
    link.pendingUpCredit = 0;
    endPort(link, code, detail);
    if (link.number != 0) {
      link.closeUp = code;
      queueUp(link);
    }
  }

  private void endPort(AgentLink link, String code, String detail) {
    forgetPort(link, code);
    link.port.end(code, detail);
  }

  private void forgetPort(AgentLink link, String code) {
    link.portGone = true;
    if (isAlone()) {
      kept.queue().changed(change(link).setCode(code).build());
    }
    clearDown(link);
    links.remove(link);
    waiting.remove(link);
    paused.remove(link);
  }

  /** Takes the session off its lane; whoever calls has removed it from the lane's table. */
  private void detach(AgentLink link) {
    link.lane = null;
    link.number = 0;
    link.current = false;
    link.queuedUp = false;
    link.pendingUpCredit = 0;
    releaseUp(link);
  }

  private void releaseUp(AgentLink link) {
    ByteString bytes = link.pendingUp;
    if (bytes != null) {
      link.pendingUp = null;
      upBudget.give(bytes.size());
    }
  }

  private void clearDown(AgentLink link) {
    downBudget.give(link.downBytes);
    link.downBytes = 0;
    link.down = null;
    link.pendingDownCredit = 0;
    stalled.remove(link);
  }

  // Reading

  private void requestMore(AgentLink link) {
    if (link.portGone || link.reading || link.pendingUp != null || link.endCode != null) {
      return;
    }
    if (upBudget.pastHalf()) {
      paused.add(link);
      return;
    }
    paused.remove(link);
    link.reading = true;
    link.port.request();
  }

  private void resumePaused() {
    while (!paused.isEmpty() && !upBudget.pastHalf()) {
      requestMore(paused.removeFirst());
    }
  }

  /** Counts since start. */
  private static final class Counts {
    long bytesUp;
    long bytesDown;
    long discarded;
    long shed;
    long overruns;
    long logDropped;
    long recordsDropped;
  }
}
