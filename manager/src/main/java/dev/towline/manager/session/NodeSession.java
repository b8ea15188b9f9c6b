package dev.towline.manager.session;

import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.session.SessionOpening.Outcome;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.EnrollAnew;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import java.time.Duration;
import java.util.Collection;
import java.util.Objects;
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

  /** Asks whether an earlier session still lives; others are numbered from 1. */
  private static final long OVERLAP_PROBE = 0;

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
  private final Probes probes;
  private final PeerVerifier.Standing standing;
  private final AtomicBoolean gone = new AtomicBoolean();

  private Phase phase = Phase.NEW;
  private @Nullable LiveSession live;
  private int owed;
  private long arrived;
  private long lastHeardMs;
  private @Nullable NodeSession overlapping;

  /** A newcomer of another boot, a clone if this session's node still answers. */
  private @Nullable NodeSession beside;

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
    this.probes = new Probes(link);
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
      if (live != null && phase == Phase.LIVE) {
        live.deliver(directives);
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
      if (phase == Phase.LIVE) {
        probes.ask(answered);
      } else {
        Probes.ended(answered);
      }
    });
    return answered;
  }

  /** Pushes the current revocation list. */
  void sendRevocations() {
    run(() -> {
      if (phase == Phase.LIVE) {
        link.send(ManagerFrames.revocations(services));
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
        link.send(ManagerFrames.trust(services, renew));
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
      case LIVE -> live(frame, Objects.requireNonNull(live));
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
    var begun = new LiveSession(peer, link, services, writes, this::run, said, opened);
    live = begun;
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
    link.send(ManagerFrames.welcome(services, opened, heartbeatInterval()));
    // Not before, so that whoever changes sessions without a gap sees none.
    displaced.ifPresent(older -> older.run(older::supersededBy));
    log.info(
        "session of {} ({}) opened: generation {}",
        opened.node().name(),
        peer.identity(),
        generation);
    if (said.getRevocationListNumber() < services.revoked().number()) {
      link.send(ManagerFrames.revocations(services));
    }
    begun.begin();
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
        ManagerFrames.quarantine(
            services, said.getLastGeneration(), said.getLastAcceptedDirective()));
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
    link.send(ManagerFrames.probe(OVERLAP_PROBE));
    log.info("{} beside the session of {}", reason, peer.identity());
  }

  private void live(AgentFrame frame, LiveSession session) {
    if (overlapping != null) {
      overlapping = null;
      services
          .events()
          .record("clone.suspected", node(), "two boots of one host are in session at once");
    }
    session.frame(frame, lastHeardMs);
    switch (frame.getFrameCase()) {
      case HEARTBEAT -> heartbeat(frame.getHeartbeat());
      case PROBE_ANSWER -> answered(frame.getProbeAnswer().getNumber());
      case GOODBYE -> goodbye(frame.getGoodbye());
      case HELLO -> close("HELLO_TWICE", "a second Hello in one session", "", Presence.OFFLINE);
      default -> {}
    }
  }

  private void answered(long probe) {
    NodeSession clone = beside;
    if (clone != null && probe == OVERLAP_PROBE) {
      beside = null;
      clone.run(clone::proven);
    }
    probes.answered(probe, arrived);
  }

  private void quarantined(AgentFrame frame) {
    switch (frame.getFrameCase()) {
      case HEARTBEAT -> heartbeat(frame.getHeartbeat());
      case SECURITY_EVENT ->
          new EventIntake(peer, services, writes, link).event(frame.getSecurityEvent(), node());
      case GOODBYE -> end(Presence.STOPPED);
      default -> log.debug("{} of a session in quarantine is ignored", frame.getFrameCase());
    }
  }

  private void heartbeat(Heartbeat heartbeat) {
    if (heartbeat.getIntervalMs() > 0) {
      intervalMs = heartbeat.getIntervalMs();
    }
    if (heartbeat.getAckWanted()) {
      link.send(ManagerFrames.heartbeatAck(heartbeat.getNumber(), services.clock().millis()));
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
      link.send(ManagerFrames.retryAfter(delayMs, reason));
      end(Presence.OFFLINE);
    }
  }

  private void close(String code, String message, String remedy, Presence presence) {
    if (phase == Phase.ENDED) {
      return;
    }
    log.info("session of {} closed: {}: {}", peer.identity(), code, message);
    link.send(ManagerFrames.closed(code, message, remedy));
    end(presence);
  }

  private void end(Presence presence) {
    if (!gone.compareAndSet(false, true)) {
      return;
    }
    phase = Phase.ENDED;
    link.close();
    services.registry().unregister(this);
    probes.ended();
    if (overlapping != null) {
      NodeSession newcomer = overlapping;
      overlapping = null;
      newcomer.run(() -> newcomer.retry(0, "the earlier session has ended"));
    }
    if (live != null) {
      live.ended(presence, nextContactMs);
    }
  }
}
