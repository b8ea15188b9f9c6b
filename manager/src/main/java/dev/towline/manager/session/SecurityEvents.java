package dev.towline.manager.session;

import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.SecurityEvent;

/** How a security event that a node reported is stored, whichever way it came. */
final class SecurityEvents {
  private SecurityEvents() {}

  static String code(SecurityEvent event) {
    return event.getCode().matches("[a-z0-9._]{1,64}") ? event.getCode() : "event.invalid";
  }

  /** Once, with the alert that follows; part of a transaction. */
  static void store(
      Tx tx,
      SessionServices services,
      String node,
      String name,
      String reporter,
      SecurityEvent event) {
    String code = code(event);
    var known = services.events().of(code, node, event.getDetail(), reporter);
    if (tx.events().add(known, node + "/" + event.getId())) {
      services.reportedAlerts().reported(tx, code, node, name, event.getDetail());
    }
  }
}
