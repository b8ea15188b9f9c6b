package dev.towline.manager.session;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.session.SessionOpening.Outcome;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.ActionOutput;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.runtime.identity.Role;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a session carries between its Welcome and its end: directives go out, and receipts, results,
 * logs, events and reports of a node that is no clone come in.
 *
 * <p>Lifecycle: {@link #begin} after the Welcome, {@link #frame} for all that comes, {@link #ended}
 * once. Threading: belongs to the session's serial executor. Failure: see {@link NodeSession}.
 */
final class LiveSession {
  private static final Logger log = LoggerFactory.getLogger(LiveSession.class);

  private final SessionPeer peer;
  private final SessionLink link;
  private final SessionServices services;
  private final SessionWrites writes;
  private final Consumer<Runnable> serial;
  private final Outcome.Opened opened;
  private final String node;
  private final String name;
  private final DirectiveFeed feed;
  private final ResultIntake results;
  private final LogIntake logs;
  private final EventIntake events;
  private ByteString policyFingerprint;
  private boolean confirmed;

  /**
   * @param serial runs what comes later on the session's serial executor
   */
  LiveSession(
      SessionPeer peer,
      SessionLink link,
      SessionServices services,
      SessionWrites writes,
      Consumer<Runnable> serial,
      Hello said,
      Outcome.Opened opened) {
    this.peer = peer;
    this.link = link;
    this.services = services;
    this.writes = writes;
    this.serial = serial;
    this.opened = opened;
    this.node = peer.identity().id();
    this.name = opened.node().name();
    this.policyFingerprint = said.getPolicyFingerprint();
    this.results = new ResultIntake(peer, services, writes, link);
    this.logs = new LogIntake(peer, services, writes, link);
    this.events = new EventIntake(peer, services, writes, link);
    this.feed =
        new DirectiveFeed(
            peer.identity(),
            said.getSessionNonce(),
            opened.generation(),
            opened.acceptedBefore(),
            services,
            writes,
            link,
            serial);
  }

  /** Sends what waits. */
  void begin() {
    feed.begin(opened.waiting());
  }

  /** These were committed for this node. */
  void deliver(Collection<QueuedDirective> directives) {
    feed.offer(directives);
  }

  /** Takes a frame that is about what the session carries, not about the session. */
  void frame(AgentFrame frame, long heardMs) {
    if (!confirmed) {
      confirmed = true;
      writes.add(tx -> tx.sessions().confirm(node, opened.generation()), () -> {});
    }
    services.registry().seen(node, opened.generation(), heardMs);
    switch (frame.getFrameCase()) {
      case HEARTBEAT -> heartbeat(frame.getHeartbeat(), heardMs);
      case RECEIPT -> feed.receipt(frame.getReceipt());
      case FETCH -> feed.fetch(frame.getFetch().getAfterSequence());
      case OUTPUT -> output(frame.getOutput());
      case RESULT -> results.result(frame.getResult());
      case RENEW ->
          CertificateRenewal.run(
              services,
              peer,
              frame.getRenew(),
              writes,
              renewed -> link.send(ManagerFrame.newBuilder().setRenewed(renewed).build()));
      case SECURITY_EVENT -> events.event(frame.getSecurityEvent(), name);
      case TRUSTED -> {
        List<String> roots = SessionOpening.fingerprints(frame.getTrusted().getRootsList());
        writes.add(tx -> tx.trust().trusts(node, roots, heardMs), () -> {});
      }
      case TUNNEL -> {
        if (is(Role.RELAY)) {
          services.registry().tunnel(node, frame.getTunnel());
        }
      }
      case RELAY -> {
        if (is(Role.RELAY)) {
          services.relays().reports().take(node, frame.getRelay(), heardMs);
        }
      }
      case LOG_BATCH -> logs.batch(frame.getLogBatch());
      case CALL -> {
        if (is(Role.AGENT)) {
          services
              .calls()
              .asked(node, frame.getCall(), reply -> serial.accept(() -> link.send(reply)));
        }
      }
      // Of the session itself, see NodeSession.
      case HELLO, GOODBYE, PROBE_ANSWER -> {}
      case FRAME_NOT_SET -> log.debug("frame of a kind this version does not know");
    }
  }

  private void heartbeat(Heartbeat heartbeat, long heardMs) {
    switch (peer.identity().role()) {
      case PROXY -> services.registry().proxyReports().take(node, heartbeat, heardMs);
      case AGENT -> services.heartbeats().take(node, name, heartbeat, heardMs);
      case RELAY, MANAGER -> {}
    }
    ByteString policy = heartbeat.getPolicyFingerprint();
    if (!policy.isEmpty() && !policy.equals(policyFingerprint)) {
      policyFingerprint = policy;
      writes.add(tx -> tx.policies().reported(node, policy), () -> {});
    }
  }

  private void output(ActionOutput output) {
    services
        .actions()
        .output(output.getDirectiveId(), node, name, output.getOffset(), output.getData());
  }

  /**
   * The session has ended and is no longer registered.
   *
   * @param nextContactMs when the node comes again, if it said so
   */
  void ended(Presence presence, long nextContactMs) {
    if (!services.registry().isLive(node)) {
      forget(presence, nextContactMs);
    }
    writes.add(
        tx -> end(tx, presence), presence == Presence.UNINSTALLED ? this::uninstalled : () -> {});
  }

  private void forget(Presence presence, long nextContactMs) {
    switch (peer.identity().role()) {
      case PROXY -> services.registry().proxyReports().forget(node);
      case RELAY -> services.relays().reports().forget(node);
      case AGENT -> {
        if (presence == Presence.WAITING) {
          services.heartbeats().left(node, nextContactMs);
        } else {
          services.heartbeats().ended(node, presence);
        }
      }
      case MANAGER -> {}
    }
  }

  private void end(Tx tx, Presence presence) {
    tx.sessions().path(node, opened.generation(), services.registry().path(peer));
    var _ =
        services
            .departures()
            .end(
                tx,
                new Departures.Ended(
                    node,
                    opened.generation(),
                    presence,
                    services.clock().millis(),
                    peer.identity().uri()));
  }

  private void uninstalled() {
    services.departures().uninstalled();
    services.heartbeats().forgotten(node);
  }

  private boolean is(Role role) {
    return peer.identity().role() == role;
  }
}
