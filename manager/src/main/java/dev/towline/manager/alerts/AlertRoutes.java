package dev.towline.manager.alerts;

import dev.towline.manager.store.Store;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.time.InstantSource;
import java.util.List;

/** Where alerts are told, as operators set it. Safe for use by several threads. */
public final class AlertRoutes {
  public static final ErrorCode ROUTE_NOT_FOUND = ErrorCode.user("ALERT_ROUTE_NOT_FOUND");

  private final Store store;
  private final InstantSource clock;

  public AlertRoutes(Store store, InstantSource clock) {
    this.store = store;
    this.clock = clock;
  }

  public List<AlertRoute> list() {
    return store.read(tx -> tx.alertRoutes().list());
  }

  /** Replaces the route of this name. */
  public AlertRoute set(String name, String target, String secret) {
    AlertRoute.check(name, target);
    return store.commit(tx -> {
      tx.alertRoutes().save(new AlertRoute(name, target, secret, clock.millis(), 0, ""));
      return tx.alertRoutes().find(name).orElseThrow();
    });
  }

  public void delete(String name) {
    store.commit(tx -> {
      if (tx.alertRoutes().find(name).isEmpty()) {
        throw new TowlineException(
            ROUTE_NOT_FOUND, "route: " + name + " does not exist", "see towline alerts routes");
      }
      tx.alertRoutes().delete(name);
      return name;
    });
  }
}
