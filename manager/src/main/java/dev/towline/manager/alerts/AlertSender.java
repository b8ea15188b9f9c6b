package dev.towline.manager.alerts;

import dev.towline.manager.alerts.AlertRouteStore.Message;
import dev.towline.manager.events.Events;
import dev.towline.manager.store.Store;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells what waits, in order for each route. A message that does not get through is tried again,
 * after 10 seconds at first and then after twice as long each time, for a day.
 *
 * <p>Threading: {@link #run} by one thread at a time; it blocks while a route answers. Failure: at
 * least once: one that was told just before a crash is told again.
 */
public final class AlertSender {
  static final Duration FIRST_PAUSE = Duration.ofSeconds(10);
  static final Duration LONGEST_PAUSE = Duration.ofMinutes(10);
  static final Duration GIVEN_UP_AFTER = Duration.ofHours(24);

  private static final Logger log = LoggerFactory.getLogger(AlertSender.class);
  private static final int BATCH = 100;

  private final Store store;
  private final Events events;
  private final Transport transport;
  private final InstantSource clock;

  /** Takes one message to its end. */
  @FunctionalInterface
  public interface Transport {
    /**
     * @throws Exception when it did not get through
     */
    void send(AlertRoute route, Alert alert, String what) throws Exception;
  }

  public AlertSender(Store store, Events events, Transport transport, InstantSource clock) {
    this.store = store;
    this.events = events;
    this.transport = transport;
    this.clock = clock;
  }

  /** For a timer, which must not end with a failure. */
  public void runSafely() {
    try {
      var _ = run();
    } catch (RuntimeException e) {
      log.error("alerts can't be told", e);
    }
  }

  /** Tells what is due; gives how many got through. */
  public int run() {
    List<Message> due = store.read(tx -> tx.alertRoutes().due(clock.millis(), BATCH));
    Set<String> stuck = new HashSet<>();
    int told = 0;
    for (Message message : due) {
      // What comes after one that is stuck waits too, else "cleared" comes before "raised".
      if (!stuck.contains(message.route())) {
        if (tell(message)) {
          told++;
        } else {
          stuck.add(message.route());
        }
      }
    }
    return told;
  }

  private boolean tell(Message message) {
    Optional<AlertRoute> route = store.read(tx -> tx.alertRoutes().find(message.route()));
    Optional<Alert> alert = store.read(tx -> tx.alerts().find(message.alert()));
    if (route.isEmpty() || alert.isEmpty()) {
      return finish(message, "");
    }
    try {
      transport.send(route.get(), alert.get(), message.what());
      return finish(message, "");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } catch (Exception e) {
      String error = String.valueOf(e.getMessage() == null ? e : e.getMessage());
      log.warn("alert {} was not told to {}: {}", message.alert(), message.route(), error);
      long now = clock.millis();
      if (now - message.createdMs() > GIVEN_UP_AFTER.toMillis()) {
        events.record("alert.untold", message.route(), "alert " + message.alert() + ": " + error);
        return finish(message, error);
      }
      Duration pause = pause(message.attempts());
      return store.commit(tx -> {
        tx.alertRoutes().tried(message.route(), now, error);
        tx.alertRoutes().later(message.id(), now + pause.toMillis());
        return false;
      });
    }
  }

  private boolean finish(Message message, String error) {
    return store.commit(tx -> {
      tx.alertRoutes().tried(message.route(), clock.millis(), error);
      tx.alertRoutes().done(message.id());
      return true;
    });
  }

  static Duration pause(int attempts) {
    Duration pause = FIRST_PAUSE.multipliedBy(1L << Math.min(attempts, 10));
    return pause.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause;
  }
}
