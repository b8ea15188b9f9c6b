package dev.towline.manager.alerts;

import dev.towline.manager.store.Tx;
import java.time.InstantSource;

/** What is to be told over the routes: kept in the store until it was told. Stateless. */
public final class AlertOutbox {
  private final InstantSource clock;

  public AlertOutbox(InstantSource clock) {
    this.clock = clock;
  }

  void raised(Tx tx, Alert alert) {
    add(tx, alert, "raised");
  }

  void cleared(Tx tx, Alert alert, String by) {
    add(tx, alert, by.isEmpty() ? "cleared by itself" : "cleared by " + by);
  }

  private void add(Tx tx, Alert alert, String what) {
    long now = clock.millis();
    for (AlertRoute route : tx.alertRoutes().list()) {
      tx.alertRoutes().send(route.name(), alert.id(), what, now);
    }
  }
}
