package dev.towline.manager.session;

import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Presence;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens sessions and looks after them.
 *
 * <p>Lifecycle: {@link #start} begins the regular work and soon declares those sessions of an
 * earlier run over that have not come back; {@link #close} ends all sessions.
 *
 * <p>Threading: safe for use by several threads. Failure: regular work that fails is logged and
 * tried again at its next turn.
 */
public final class Sessions implements AutoCloseable {
  public static final ErrorCode NODE_NOT_FOUND = ErrorCode.user("NODE_NOT_FOUND");
  public static final ErrorCode NO_CLONE = ErrorCode.user("NO_CLONE_IN_SESSION");

  private static final Logger log = LoggerFactory.getLogger(Sessions.class);
  private static final Duration SEEN_PERIOD = Duration.ofSeconds(1);
  private static final Duration CHECK_PERIOD = Duration.ofSeconds(5);
  private static final Duration REPAIR_PERIOD = Duration.ofMinutes(1);

  /**
   * How long sessions of an earlier run count: a manager that was killed says of nobody that it is
   * offline before it had time to come back.
   */
  private static final Duration RETURN_GRACE = Duration.ofSeconds(30);

  private static final Duration DELIVERED_GRACE = Duration.ofMinutes(2);
  private static final int EXPIRE_BATCH = 1000;

  private final SessionServices services;
  private final ScheduledExecutorService timer;
  private final CaRotation rotation;

  public Sessions(SessionServices services, ScheduledExecutorService timer) {
    this.services = services;
    this.timer = timer;
    this.rotation =
        new CaRotation(
            services.store(),
            services.fleet(),
            services.revoked(),
            services.registry(),
            services.events(),
            services.clock());
  }

  /** Changes of the fleet's root. */
  public CaRotation caRotation() {
    return rotation;
  }

  public Sessions start() {
    String manager = services.fleet().manager().identity().id();
    long started = services.clock().millis();
    once(
        RETURN_GRACE,
        () -> services.store().commit(tx -> tx.sessions().endSilent(manager, started)));
    every(SEEN_PERIOD, this::writeSeen);
    services.heartbeats().start();
    every(SEEN_PERIOD, rotation::tick);
    every(SEEN_PERIOD, this::expire);
    every(SEEN_PERIOD, services.heartbeats()::flush);
    every(CHECK_PERIOD, services.heartbeats()::check);
    every(REPAIR_PERIOD, this::repairPolicies);
    every(CHECK_PERIOD, () -> services.registry().all().forEach(NodeSession::check));
    return this;
  }

  /** A peer whose handshake held wants a session; its frames go to what this gives. */
  public NodeSession open(SessionPeer peer, SessionLink link) {
    return new NodeSession(peer, link, services);
  }

  public SessionRegistry registry() {
    return services.registry();
  }

  public SessionServices services() {
    return services;
  }

  /** Ends all trust in a node, cuts its session, and tells everybody else. */
  public Node revoke(String id, String reason) {
    Node node =
        services
            .store()
            .commit(tx -> {
              Node found =
                  tx.nodes()
                      .find(id)
                      .orElseThrow(() ->
                          new TowlineException(
                              NODE_NOT_FOUND,
                              "node: " + id + " does not exist",
                              "use the id that a list shows"));
              services.revoked().revoke(tx, id, reason);
              services.heartbeats().forget(tx, id);
              return tx.nodes().find(found.id()).orElseThrow();
            });
    services.revoked().reload();
    services
        .registry()
        .session(id)
        .ifPresent(session ->
            session.terminate(
                "CERTIFICATE_REVOKED",
                "this node was revoked: " + reason,
                "run an install command on the host if it shall come back",
                Presence.OFFLINE));
    services.heartbeats().forgotten(id);
    services.registry().all().forEach(NodeSession::sendRevocations);
    // They know the list now; their way leads through one that is not trusted any more.
    for (NodeSession through : services.registry().through(id)) {
      through.terminate(
          "PATH_REVOKED",
          node.name() + ", which lies on the way, was revoked: " + reason,
          "connect again, by another way",
          Presence.OFFLINE);
    }
    return node;
  }

  /** A suspected clone is what it says: the next session of this node is a normal one. */
  public void release(String id) {
    services
        .store()
        .commit(tx -> {
          tx.sessions().forgetGeneration(id);
          tx.nodes().quarantine(id, "");
          return id;
        });
    services.registry().quarantined(id).ifPresent(NodeSession::released);
  }

  /**
   * The clone of a node, in quarantine now, becomes a host of its own.
   *
   * @throws TowlineException when there is none
   */
  public void enrollClone(Node original) {
    NodeSession clone =
        services
            .registry()
            .quarantined(original.id())
            .orElseThrow(() ->
                new TowlineException(
                    NO_CLONE,
                    "host: no clone of " + original.name() + " is in session now",
                    "start its agent; see towline events list --code clone.suspected"));
    clone.enrollAnew(services.store().commit(tx -> services.clones().approved(tx, original)));
  }

  /** How long the way to a node takes; completes exceptionally when it is not in session here. */
  public CompletableFuture<Duration> probe(String id) {
    return services
        .registry()
        .session(id)
        .map(NodeSession::probe)
        .orElseGet(() ->
            CompletableFuture.failedFuture(
                new IllegalStateException("not in session with this manager")));
  }

  @Override
  public void close() {
    for (NodeSession session : services.registry().all()) {
      session.terminate(
          "MANAGER_STOPPING", "the manager is being stopped", "connect again", Presence.OFFLINE);
    }
  }

  private void writeSeen() {
    List<SessionStore.Seen> seen = services.registry().takeSeen();
    if (!seen.isEmpty()) {
      services
          .store()
          .commit(tx -> {
            tx.sessions().seen(seen);
            return seen.size();
          });
    }
  }

  private void repairPolicies() {
    int told = services.policies().repair();
    if (told > 0) {
      log.info("{} hosts did not have their policy and are told again", told);
    }
  }

  private void expire() {
    long now = services.clock().millis();
    List<QueuedDirective> expired =
        services
            .store()
            .commit(
                tx -> tx.directives().expire(now, now - DELIVERED_GRACE.toMillis(), EXPIRE_BATCH));
    expired.forEach(directive -> services.actions().changed(directive.id()));
  }

  private void every(Duration period, Runnable work) {
    var _ =
        timer.scheduleWithFixedDelay(
            safe(work), period.toMillis(), period.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void once(Duration delay, Runnable work) {
    var _ = timer.schedule(safe(work), delay.toMillis(), TimeUnit.MILLISECONDS);
  }

  private static Runnable safe(Runnable work) {
    return () -> {
      try {
        work.run();
      } catch (RuntimeException e) {
        log.error("regular work of the sessions failed", e);
      }
    };
  }
}
