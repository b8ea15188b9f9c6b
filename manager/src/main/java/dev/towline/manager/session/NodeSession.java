package dev.towline.manager.session;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.session.SessionOpening.Outcome;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.EnrollAnew;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.HeartbeatAck;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Probe;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.RenewCertificate;
import dev.towline.proto.v1.RetryAfter;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.proto.v1.SessionClosed;
import dev.towline.proto.v1.TrustUpdate;
import dev.towline.proto.v1.TunnelReport;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One live conversation with an agent, proxy or relay, whatever carries it.
 *
 * <p>Lifecycle: Hello, Welcome, then anything, until a goodbye, the loss of the transport, a newer
 * session of the same node, a revocation, or silence.
 *
 * <p>Threading: every method may be called by any thread; what they do runs on the session's own
 * serial executor, which owns all state and never waits for the store.
 *
 * <p>Failure: what a peer must not do ends the session with a named event; a failing store ends it
 * too, and the peer comes again. Nothing is written for a session once a newer one has begun.
 */
public final class NodeSession {
  private static final Logger log = LoggerFactory.getLogger(NodeSession.class);
  private static final int NONCE_LENGTH = 32;
  private static final int SILENT_INTERVALS = 4;
  private static final long LEAST_SILENCE_MS = 45_000;
  private static final Duration PROXY_HEARTBEAT = Duration.ofSeconds(10);

  private enum Phase {
    NEW,
    OPENING,
    LIVE,
    /** Suspected clone: heard, given nothing. */
    QUARANTINED,
    ENDED
  }

  private final SessionPeer peer;
  private final SessionLink link;
  private final SessionServices services;
  private final SerialExecutor serial;
  private final SessionWrites writes;
  private final PeerVerifier.Standing standing;
  private final AtomicBoolean gone = new AtomicBoolean();

  private Phase phase = Phase.NEW;
  private @Nullable Node stored;
  private @Nullable DirectiveFeed feed;
  private @Nullable ResultIntake results;
  private @Nullable LogIntake logs;
  private boolean confirmed;
  private int owed;
  private long lastProbe;
  private long arrived;
  private final Map<Long, Probed> probes = new HashMap<>();
  private long lastHeardMs;
  private @Nullable NodeSession overlapping;

  /** A newcomer of another boot, a clone if this session's node still answers. */
  private @Nullable NodeSession beside;

  private ByteString policyFingerprint = ByteString.EMPTY;
  private long intervalMs;
  private long nextContactMs;
  private volatile long generation;
  private volatile String bootId = "";

  public NodeSession(SessionPeer peer, SessionLink link, SessionServices services) {
    this.peer = peer;
    this.link = link;
    this.services = services;
    this.standing = services.verifier().standing(peer.chain());
    this.serial = new SerialExecutor(services.executor());
    this.writes = new SessionWrites(services.store(), peer.identity().id(), serial, this::flushed);
    this.lastHeardMs = services.clock().millis();
    this.intervalMs = services.heartbeatInterval().toMillis();
  }

  public SessionPeer peer() {
    return peer;
  }

  public String node() {
    return peer.identity().id();
  }

  long generation() {
    return generation;
  }

  String bootId() {
    return bootId;
  }

  /** A frame arrived; its sender is the authenticated peer. */
  public void receive(AgentFrame frame) {
    long nanos = System.nanoTime();
    Runnable work =
        () -> {
          arrived = nanos;
          handle(frame);
        };
    if (link.lendsThread()) {
      serial.executeHere(guarded(work));
    } else {
      run(work);
    }
  }

  /** The transport is gone. */
  public void disconnected(String detail) {
    run(() -> {
      log.debug("session of {} lost: {}", node(), detail);
      end(Presence.OFFLINE);
    });
  }

  /** These were committed for this node. */
  void deliver(Collection<QueuedDirective> directives) {
    run(() -> {
      if (feed != null && phase == Phase.LIVE) {
        feed.offer(directives);
      }
    });
  }

  /** Says why and ends. */
  public void terminate(String code, String message, String remedy, Presence presence) {
    run(() -> close(code, message, remedy, presence));
  }

  /** Nobody doubts any more that the node is what it says: it comes again as a normal one. */
  void released() {
    run(() -> {
      if (phase == Phase.QUARANTINED) {
        retry(0, "an operator released it from quarantine");
      }
    });
  }

  /** This session is of a clone, and it shall be a host of its own. */
  void enrollAnew(EnrollAnew anew) {
    run(() -> {
      if (phase == Phase.QUARANTINED) {
        link.send(ManagerFrame.newBuilder().setEnrollAnew(anew).build());
      }
    });
  }

  /** No doubt is left that this one is a clone. */
  private void proven() {
    if (phase == Phase.QUARANTINED && peer.identity().role() == Role.AGENT) {
      var _ =
          services
              .store()
              .write(tx -> services.clones().allowed(tx, node()))
              .whenComplete((anew, failure) -> {
                if (failure != null) {
                  log.error("clone of {} can't be told to enroll", peer.identity(), failure);
                } else {
                  anew.ifPresent(this::enrollAnew);
                }
              });
    }
  }

  /**
   * Asks the peer to answer at once, and gives the round trip. Completes exceptionally when the
   * session ends before.
   */
  CompletableFuture<Duration> probe() {
    CompletableFuture<Duration> answered = new CompletableFuture<>();
    run(() -> {
      if (phase != Phase.LIVE) {
        answered.completeExceptionally(new IllegalStateException("the session has ended"));
        return;
      }
      long number = ++lastProbe;
      probes.put(number, new Probed(System.nanoTime(), answered));
      link.send(ManagerFrame.newBuilder().setProbe(Probe.newBuilder().setNumber(number)).build());
    });
    return answered;
  }

  private record Probed(long sentNanos, CompletableFuture<Duration> answered) {}

  /** Pushes the current revocation list. */
  void sendRevocations() {
    run(() -> {
      if (phase == Phase.LIVE) {
        link.send(
            ManagerFrame.newBuilder()
                .setRevocations(services.revoked().signed(services.fleet()))
                .build());
      }
    });
  }

  /**
   * Says which roots there are.
   *
   * @param renew asks for a renewal, to get a certificate of the present CA
   */
  void tellTrust(boolean renew) {
    run(() -> {
      if (phase == Phase.LIVE) {
        link.send(
            ManagerFrame.newBuilder()
                .setTrust(
                    TrustUpdate.newBuilder()
                        .addAllRoots(Certificates.toProto(services.fleet().roots()))
                        .addAllRetiredRoots(Certificates.toProto(services.fleet().retiredRoots()))
                        .setRenew(renew))
                .build());
      }
    });
  }

  /** Looks whether the peer is still trusted and still there. */
  void check() {
    run(() -> {
      if (phase != Phase.LIVE) {
        return;
      }
      if (standing.check() instanceof PeerCheck.Refused(String code, String detail)) {
        close(code, detail, "the node has to renew its certificate", Presence.OFFLINE);
        return;
      }
      long silent = services.clock().millis() - lastHeardMs;
      if (silent > Math.max(SILENT_INTERVALS * intervalMs, LEAST_SILENCE_MS)) {
        close(
            "SESSION_SILENT",
            "nothing was heard for " + silent / 1000 + " s",
            "none: connect again",
            Presence.OFFLINE);
      }
    });
  }

  private void run(Runnable task) {
    try {
      serial.execute(guarded(task));
    } catch (RejectedExecutionException e) {
      log.debug("session of {} came to rest with the manager", peer.identity());
    }
  }

  private Runnable guarded(Runnable task) {
    return () -> {
      try {
        task.run();
      } catch (RuntimeException e) {
        log.error("session of {} failed", peer.identity(), e);
        close("INTERNAL", "the manager failed", "see the manager's log", Presence.OFFLINE);
      }
    };
  }

  private void handle(AgentFrame frame) {
    lastHeardMs = services.clock().millis();
    switch (phase) {
      case NEW -> {
        if (frame.hasHello()) {
          hello(frame.getHello());
        } else {
          beforeHello(frame);
        }
      }
      case OPENING -> {
        if (frame.hasGoodbye()) {
          end(Presence.STOPPED);
        } else {
          close("WELCOME_MISSED", "a frame came before Welcome", "", Presence.OFFLINE);
        }
      }
      case LIVE -> live(frame);
      case QUARANTINED -> quarantined(frame);
      case ENDED -> {}
    }
    if (writes.isBacklogged()) {
      owed++;
    } else {
      link.proceed();
    }
  }

  /** After each commit: frames that had to wait may come. */
  private void flushed() {
    if (!writes.isBacklogged()) {
      for (; owed > 0; owed--) {
        link.proceed();
      }
    }
  }

  private void beforeHello(AgentFrame frame) {
    String code = frame.hasHeartbeat() ? "heartbeat.unauthenticated" : "session.tampered";
    services.events().record(code, node(), "frame " + frame.getFrameCase() + " came before Hello");
    close("HELLO_EXPECTED", "the first frame was no Hello", "", Presence.OFFLINE);
  }

  private void hello(Hello said) {
    if (said.getSessionNonce().size() != NONCE_LENGTH) {
      close(
          "HELLO_INVALID",
          "session nonce of " + said.getSessionNonce().size() + " bytes (expected: 32)",
          "",
          Presence.OFFLINE);
      return;
    }
    phase = Phase.OPENING;
    policyFingerprint = said.getPolicyFingerprint();
    bootId = said.getFacts().getBootId();
    NodeSession other = services.registry().session(node()).orElse(null);
    Optional<String> otherBoot = Optional.ofNullable(other).map(NodeSession::bootId);
    SessionOpening opening =
        new SessionOpening(
            services.relays(),
            services.sending(),
            services.policies(),
            services.events(),
            services.fleet().manager().identity().id());
    var _ =
        services
            .store()
            .write(tx ->
                opening.open(
                    tx,
                    peer,
                    said,
                    otherBoot,
                    services.registry().path(peer),
                    services.clock().millis()))
            .whenComplete((outcome, failure) ->
                run(() -> {
                  if (failure != null) {
                    log.error("session of {} can't be opened", peer.identity(), failure);
                    retry(1000, "the manager could not open the session");
                  } else {
                    opened(said, outcome, other);
                  }
                }));
  }

  private void opened(Hello said, Outcome outcome, @Nullable NodeSession other) {
    switch (outcome) {
      case Outcome.Refused(String code, String message, String remedy) ->
          close(code, message, remedy, Presence.OFFLINE);
      case Outcome.Quarantined quarantined -> quarantine(quarantined, said, other);
      case Outcome.Opened opened -> {
        generation = opened.generation();
        if (phase == Phase.ENDED) {
          services
              .store()
              .write(tx ->
                  tx.sessions()
                      .end(node(), generation, Presence.OFFLINE, services.clock().millis()));
          return;
        }
        begin(said, opened);
      }
    }
  }

  private void begin(Hello said, Outcome.Opened opened) {
    stored = opened.node();
    writes.begin(generation);
    phase = Phase.LIVE;
    Optional<NodeSession> displaced = services.registry().register(this, opened.node().name());
    if (displaced.isPresent() && displaced.get() == this) {
      supersededBy();
      return;
    }
    if (peer.identity().role() == Role.RELAY) {
      services.registry().forgetTunnels(node());
    }
    opened.interrupted().forEach(services.actions()::changed);
    link.send(ManagerFrame.newBuilder().setWelcome(welcome(opened)).build());
    // Not before, so that whoever changes sessions without a gap sees none.
    displaced.ifPresent(older -> older.run(older::supersededBy));
    log.info(
        "session of {} ({}) opened: generation {}",
        opened.node().name(),
        peer.identity(),
        generation);
    if (said.getRevocationListNumber() < services.revoked().number()) {
      link.send(
          ManagerFrame.newBuilder()
              .setRevocations(services.revoked().signed(services.fleet()))
              .build());
    }
    results = new ResultIntake(peer, services, writes, link);
    logs = new LogIntake(peer, services, writes, link);
    DirectiveFeed directives =
        new DirectiveFeed(
            peer.identity(),
            said.getSessionNonce(),
            generation,
            opened.acceptedBefore(),
            services,
            writes,
            link,
            this::run);
    feed = directives;
    directives.begin(opened.waiting());
  }

  private Welcome welcome(Outcome.Opened opened) {
    Welcome.Builder welcome =
        Welcome.newBuilder()
            .setGeneration(opened.generation())
            .setManagerId(services.fleet().manager().identity().id())
            .setHeartbeatIntervalMs(heartbeatInterval().toMillis())
            .setReconnectCapMs(services.reconnectCap().toMillis())
            .setManagerTimeMs(services.clock().millis())
            .setLastAcceptedDirective(opened.acceptedBefore())
            .addAllRoots(Certificates.toProto(services.fleet().roots()))
            .addAllRetiredRoots(Certificates.toProto(services.fleet().retiredRoots()))
            .setRecordsKey(services.fleet().recordsKey());
    if (opened.rolledBack()) {
      welcome.setStateRolledBack(true).setNextEpoch(opened.epoch());
    }
    return welcome.build();
  }

  /** Proxies are few and their load is looked at: they say it more often. */
  private Duration heartbeatInterval() {
    Duration usual = services.heartbeatInterval();
    return peer.identity().role() == Role.PROXY && usual.compareTo(PROXY_HEARTBEAT) > 0
        ? PROXY_HEARTBEAT
        : usual;
  }

  /** A newer session of the same node is the live one now. */
  private void supersededBy() {
    close(
        "SESSION_SUPERSEDED",
        "a newer session of " + node() + " took its place",
        "none, unless two programs use one identity",
        Presence.OFFLINE);
  }

  private void quarantine(
      Outcome.Quarantined quarantined, Hello said, @Nullable NodeSession other) {
    if (phase == Phase.ENDED) {
      return;
    }
    phase = Phase.QUARANTINED;
    services.registry().quarantine(this);
    log.warn("session of {} is in quarantine: {}", peer.identity(), quarantined.reason());
    // Before the newcomer is answered, so that every sign of life from then on counts.
    if (!quarantined.proven() && other != null) {
      other.run(() -> other.overlappedBy(this, quarantined.reason()));
    }
    link.send(
        ManagerFrame.newBuilder()
            .setWelcome(
                Welcome.newBuilder()
                    .setGeneration(said.getLastGeneration())
                    .setManagerId(services.fleet().manager().identity().id())
                    .setHeartbeatIntervalMs(services.heartbeatInterval().toMillis())
                    .setReconnectCapMs(services.reconnectCap().toMillis())
                    .setManagerTimeMs(services.clock().millis())
                    .setLastAcceptedDirective(said.getLastAcceptedDirective()))
            .build());
    if (quarantined.proven()) {
      proven();
    }
  }

  /** Another boot of this node is there: whichever of this session's signs comes first tells. */
  private void overlappedBy(NodeSession newcomer, String reason) {
    if (phase == Phase.ENDED) {
      newcomer.run(() -> newcomer.retry(0, "the earlier session has ended"));
      return;
    }
    overlapping = newcomer;
    beside = newcomer;
    // Only its answer proves that there are two: other frames may have been on their way.
    link.send(ManagerFrame.newBuilder().setProbe(Probe.newBuilder().setNumber(0)).build());
    log.info("{} beside the session of {}", reason, peer.identity());
  }

  private void live(AgentFrame frame) {
    if (overlapping != null) {
      overlapping = null;
      services
          .events()
          .record("clone.suspected", node(), "two boots of one host are in session at once");
    }
    if (!confirmed) {
      confirmed = true;
      writes.add(tx -> tx.sessions().confirm(node(), generation), () -> {});
    }
    services.registry().seen(node(), generation, lastHeardMs);
    switch (frame.getFrameCase()) {
      case HEARTBEAT -> heartbeat(frame.getHeartbeat());
      case RECEIPT -> feed().receipt(frame.getReceipt());
      case FETCH -> feed().fetch(frame.getFetch().getAfterSequence());
      case OUTPUT ->
          services
              .actions()
              .output(
                  frame.getOutput().getDirectiveId(),
                  node(),
                  stored == null ? node() : stored.name(),
                  frame.getOutput().getOffset(),
                  frame.getOutput().getData());
      case RESULT -> {
        if (results != null) {
          results.result(frame.getResult());
        }
      }
      case RENEW -> renew(frame.getRenew());
      case SECURITY_EVENT -> securityEvent(frame.getSecurityEvent());
      case TRUSTED -> {
        List<String> roots = SessionOpening.fingerprints(frame.getTrusted().getRootsList());
        writes.add(tx -> tx.trust().trusts(node(), roots, lastHeardMs), () -> {});
      }
      case GOODBYE -> goodbye(frame.getGoodbye());
      case TUNNEL -> tunnel(frame.getTunnel());
      case RELAY -> {
        if (peer.identity().role() == Role.RELAY) {
          services.relays().reports().take(node(), frame.getRelay(), lastHeardMs);
        }
      }
      case PROBE_ANSWER -> {
        NodeSession clone = beside;
        if (clone != null && frame.getProbeAnswer().getNumber() == 0) {
          beside = null;
          clone.run(clone::proven);
        }
        Probed probed = probes.remove(frame.getProbeAnswer().getNumber());
        if (probed != null) {
          var _ = probed.answered().complete(Duration.ofNanos(arrived - probed.sentNanos()));
        }
      }
      case LOG_BATCH -> {
        if (logs != null) {
          logs.batch(frame.getLogBatch());
        }
      }
      case CALL -> {
        if (peer.identity().role() == Role.AGENT) {
          services.calls().asked(node(), frame.getCall(), reply -> run(() -> link.send(reply)));
        }
      }
      case HELLO -> close("HELLO_TWICE", "a second Hello in one session", "", Presence.OFFLINE);
      case FRAME_NOT_SET -> log.debug("frame of a kind this version does not know");
    }
  }

  private DirectiveFeed feed() {
    if (feed == null) {
      throw new IllegalStateException("session is not live");
    }
    return feed;
  }

  private void quarantined(AgentFrame frame) {
    switch (frame.getFrameCase()) {
      case HEARTBEAT -> heartbeat(frame.getHeartbeat());
      case SECURITY_EVENT -> securityEvent(frame.getSecurityEvent());
      case GOODBYE -> end(Presence.STOPPED);
      default -> log.debug("{} of a session in quarantine is ignored", frame.getFrameCase());
    }
  }

  private void heartbeat(Heartbeat heartbeat) {
    if (phase == Phase.LIVE && peer.identity().role() == Role.PROXY) {
      services.registry().proxyReports().take(node(), heartbeat, lastHeardMs);
    }
    if (phase == Phase.LIVE && peer.identity().role() == Role.AGENT) {
      services
          .heartbeats()
          .take(node(), stored == null ? node() : stored.name(), heartbeat, lastHeardMs);
    }
    if (heartbeat.getIntervalMs() > 0) {
      intervalMs = heartbeat.getIntervalMs();
    }
    ByteString policy = heartbeat.getPolicyFingerprint();
    if (phase == Phase.LIVE && !policy.isEmpty() && !policy.equals(policyFingerprint)) {
      policyFingerprint = policy;
      writes.add(tx -> tx.policies().reported(node(), policy), () -> {});
    }
    if (heartbeat.getAckWanted()) {
      link.send(
          ManagerFrame.newBuilder()
              .setHeartbeatAck(
                  HeartbeatAck.newBuilder()
                      .setNumber(heartbeat.getNumber())
                      .setManagerTimeMs(services.clock().millis()))
              .build());
    }
  }

  private void renew(RenewCertificate request) {
    CertificateRenewal.run(
        services,
        peer,
        request,
        writes,
        renewed -> link.send(ManagerFrame.newBuilder().setRenewed(renewed).build()));
  }

  private void securityEvent(SecurityEvent event) {
    String code = SecurityEvents.code(event);
    String reporter = peer.identity().uri();
    String name = stored == null ? node() : stored.name();
    log.warn("{} reports {}: {}", reporter, code, event.getDetail());
    writes.add(
        tx -> SecurityEvents.store(tx, services, node(), name, reporter, event),
        () ->
            link.send(
                ManagerFrame.newBuilder()
                    .setAck(
                        RecordAck.newBuilder()
                            .setRecordClass(RecordClass.RECORD_CLASS_SECURITY_EVENT)
                            .setId(event.getId())
                            .setBy(RecordAck.By.MANAGER))
                    .build()));
  }

  private void tunnel(TunnelReport report) {
    if (peer.identity().role() == Role.RELAY) {
      services.registry().tunnel(node(), report);
    }
  }

  private void goodbye(Goodbye goodbye) {
    if (goodbye.getReason() == Goodbye.Reason.UNTIL_NEXT) {
      log.debug("contact of {} is over", peer.identity());
      nextContactMs = services.clock().millis() + Math.max(0, goodbye.getNextMs());
    } else {
      log.info("session of {} ended: {}", peer.identity(), goodbye.getReason());
    }
    end(Departures.presence(goodbye.getReason()));
  }

  private void retry(long delayMs, String reason) {
    if (phase != Phase.ENDED) {
      link.send(
          ManagerFrame.newBuilder()
              .setRetryAfter(RetryAfter.newBuilder().setDelayMs(delayMs).setReason(reason))
              .build());
      end(Presence.OFFLINE);
    }
  }

  private void close(String code, String message, String remedy, Presence presence) {
    if (phase == Phase.ENDED) {
      return;
    }
    log.info("session of {} closed: {}: {}", peer.identity(), code, message);
    link.send(
        ManagerFrame.newBuilder()
            .setClosed(
                SessionClosed.newBuilder().setCode(code).setMessage(message).setRemedy(remedy))
            .build());
    end(presence);
  }

  private void end(Presence presence) {
    if (!gone.compareAndSet(false, true)) {
      return;
    }
    boolean wasLive = phase == Phase.LIVE;
    phase = Phase.ENDED;
    link.close();
    services.registry().unregister(this);
    probes
        .values()
        .forEach(probed ->
            probed
                .answered()
                .completeExceptionally(new IllegalStateException("the session ended")));
    probes.clear();
    if (overlapping != null) {
      NodeSession newcomer = overlapping;
      overlapping = null;
      newcomer.run(() -> newcomer.retry(0, "the earlier session has ended"));
    }
    if (wasLive && peer.identity().role() == Role.PROXY && !services.registry().isLive(node())) {
      services.registry().proxyReports().forget(node());
    }
    if (wasLive && peer.identity().role() == Role.RELAY && !services.registry().isLive(node())) {
      services.relays().reports().forget(node());
    }
    if (wasLive && peer.identity().role() == Role.AGENT && !services.registry().isLive(node())) {
      if (presence == Presence.WAITING) {
        services.heartbeats().left(node(), nextContactMs);
      } else {
        services.heartbeats().ended(node(), presence);
      }
    }
    if (wasLive) {
      writes.add(
          tx -> finish(tx, presence),
          presence == Presence.UNINSTALLED ? this::uninstalled : () -> {});
    }
  }

  private void uninstalled() {
    services.departures().uninstalled();
    services.heartbeats().forgotten(node());
  }

  private void finish(Tx tx, Presence presence) {
    tx.sessions().path(node(), generation, services.registry().path(peer));
    var _ =
        services
            .departures()
            .end(
                tx,
                new Departures.Ended(
                    node(),
                    generation,
                    presence,
                    services.clock().millis(),
                    peer.identity().uri()));
  }
}
