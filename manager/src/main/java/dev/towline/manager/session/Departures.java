package dev.towline.manager.session;

import dev.towline.manager.events.Events;
import dev.towline.manager.fleet.Revoked;
import dev.towline.manager.heartbeat.Heartbeats;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.Goodbye;

/** What follows from the end of a session, whoever told of it. Safe for use by several threads. */
public final class Departures {
  private final Revoked revoked;
  private final Events events;
  private final Heartbeats heartbeats;
  private final SessionRegistry registry;

  public Departures(
      Revoked revoked, Events events, Heartbeats heartbeats, SessionRegistry registry) {
    this.heartbeats = heartbeats;
    this.revoked = revoked;
    this.events = events;
    this.registry = registry;
  }

  /**
   * The end of a session.
   *
   * @param reporter identity of who said so
   */
  record Ended(String node, long generation, Presence presence, long timeMs, String reporter) {}

  static Presence presence(Goodbye.Reason reason) {
    return switch (reason) {
      case RECONNECT, REASON_UNSPECIFIED, UNRECOGNIZED -> Presence.OFFLINE;
      case AGENT_STOP -> Presence.STOPPED;
      case HOST_SHUTDOWN -> Presence.SHUT_DOWN;
      case UNINSTALL -> Presence.UNINSTALLED;
      case UNTIL_NEXT -> Presence.WAITING;
    };
  }

  /**
   * Part of a transaction; for one that is uninstalled {@link #uninstalled} is due after it.
   *
   * @return false when the node had a newer session since
   */
  boolean end(Tx tx, Ended ended) {
    boolean current =
        tx.sessions().end(ended.node(), ended.generation(), ended.presence(), ended.timeMs());
    if (current && ended.presence() == Presence.UNINSTALLED) {
      revoked.revoke(tx, ended.node(), "uninstalled");
      heartbeats.forget(tx, ended.node());
      tx.events()
          .add(
              events.of(
                  "node.uninstalled", ended.node(), "its uninstall command ran", ended.reporter()),
              "");
    }
    return current;
  }

  /** A program is gone from its host: what may have been copied of it is worth nothing. */
  void uninstalled() {
    revoked.reload();
    registry.all().forEach(NodeSession::sendRevocations);
  }
}
