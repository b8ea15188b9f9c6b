package dev.towline.manager.session;

import dev.towline.proto.v1.SecurityEvent;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes what a node reports as a security event: each is stored once and acknowledged after it is
 * on disk. Belongs to the session's serial executor.
 */
final class EventIntake {
  private static final Logger log = LoggerFactory.getLogger(EventIntake.class);

  private final SessionPeer peer;
  private final SessionServices services;
  private final SessionWrites writes;
  private final SessionLink link;

  EventIntake(SessionPeer peer, SessionServices services, SessionWrites writes, SessionLink link) {
    this.peer = peer;
    this.services = services;
    this.writes = writes;
    this.link = link;
  }

  /**
   * @param name of the node, as people know it
   */
  void event(SecurityEvent event, String name) {
    String reporter = peer.identity().uri();
    log.warn("{} reports {}: {}", reporter, SecurityEvents.code(event), event.getDetail());
    writes.add(
        tx -> SecurityEvents.store(tx, services, peer.identity().id(), name, reporter, event),
        () -> link.send(ManagerFrames.eventStored(event.getId())));
  }
}
