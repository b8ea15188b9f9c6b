package dev.towline.manager.alerts;

import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Raises and clears alerts. When more than {@value #BURST} of one kind are raised within {@link
 * #WINDOW}, one summary stands for them.
 *
 * <p>Threading: safe for use by several threads; what runs in a transaction has no other effect.
 */
public final class Alerts {
  public static final ErrorCode ALERT_NOT_FOUND = ErrorCode.user("ALERT_NOT_FOUND");

  static final int BURST = 20;
  static final Duration WINDOW = Duration.ofSeconds(60);

  private static final int LARGEST_PAGE = 1000;
  private static final int NAMES_SHOWN = 5;

  private final Store store;
  private final AlertOutbox outbox;
  private final InstantSource clock;

  public Alerts(Store store, AlertOutbox outbox, InstantSource clock) {
    this.store = store;
    this.outbox = outbox;
    this.clock = clock;
  }

  /** Something to be raised. */
  public record Wanted(AlertKind kind, String subject, String name, String message) {}

  /** Raises them; one that is open is raised again. */
  public void raise(Tx tx, List<Wanted> wanted) {
    long now = clock.millis();
    Map<AlertKind, List<Alert>> fresh = new LinkedHashMap<>();
    for (Wanted one : wanted) {
      Optional<Alert> open = tx.alerts().open(one.kind(), one.subject());
      if (open.isPresent()) {
        tx.alerts().update(open.get().id(), one.message(), open.get().times() + 1, now);
      } else {
        Alert alert = alert(one.kind(), one.subject(), one.name(), one.message(), now);
        fresh
            .computeIfAbsent(one.kind(), _ -> new ArrayList<>())
            .add(withId(alert, tx.alerts().raise(alert)));
      }
    }
    fresh.forEach((kind, raised) -> tell(tx, kind, raised, now));
  }

  private void tell(Tx tx, AlertKind kind, List<Alert> raised, long now) {
    Optional<Alert> summary = tx.alerts().open(kind, "");
    List<Alert> recent = tx.alerts().single(kind, now - WINDOW.toMillis());
    if (summary.isEmpty() && recent.size() <= BURST) {
      raised.forEach(alert -> outbox.raised(tx, alert));
      return;
    }
    long id;
    if (summary.isPresent()) {
      id = summary.get().id();
    } else {
      Alert fresh = alert(kind, "", "", summaryText(kind, recent.size(), recent), now);
      id = tx.alerts().raise(fresh);
      tx.alerts().update(id, fresh.message(), recent.size(), now);
      outbox.raised(tx, withId(fresh, id));
    }
    recent.forEach(alert -> tx.alerts().join(alert.id(), id));
    if (summary.isPresent()) {
      int members = tx.alerts().membersOf(id);
      tx.alerts().update(id, summaryText(kind, members, recent), members, now);
    }
  }

  /** It is over by itself. Kinds that somebody has to look at stay. */
  public void over(Tx tx, AlertKind kind, String subject) {
    if (kind.clearsItself()) {
      tx.alerts().open(kind, subject).ifPresent(alert -> clear(tx, alert, ""));
    }
  }

  /** A host that is gone for good has no alerts. */
  public void forget(Tx tx, String subject) {
    for (AlertKind kind : AlertKind.values()) {
      tx.alerts().open(kind, subject).ifPresent(alert -> clear(tx, alert, ""));
    }
  }

  /** By hand; of a summary, with everything that it stands for. */
  public Alert clear(long id, String by) {
    return store.commit(tx -> {
      Alert alert =
          tx.alerts()
              .find(id)
              .orElseThrow(() ->
                  new TowlineException(
                      ALERT_NOT_FOUND,
                      "alert: " + id + " does not exist",
                      "see towline alerts list"));
      if (alert.isOpen()) {
        clear(tx, alert, by);
      }
      return tx.alerts().find(id).orElseThrow();
    });
  }

  private void clear(Tx tx, Alert alert, String by) {
    long now = clock.millis();
    if (!tx.alerts().clear(alert.id(), now, by)) {
      return;
    }
    if (alert.isSummary()) {
      tx.alerts().clearMembers(alert.id(), now, by);
    }
    if (alert.summary() == 0) {
      outbox.cleared(tx, alert, by);
    } else if (tx.alerts().membersOf(alert.summary()) == 0) {
      tx.alerts().find(alert.summary()).filter(Alert::isOpen).ifPresent(s -> clear(tx, s, by));
    }
  }

  /**
   * @param beforeId id of the last one of the page before; 0 for the first page
   */
  public List<Alert> list(boolean all, boolean members, String subject, long beforeId, int limit) {
    int most = Math.clamp(limit <= 0 ? 100 : limit, 1, LARGEST_PAGE);
    return store.read(tx -> tx.alerts().list(all, members, subject, beforeId, most));
  }

  public Alert alert(long id) {
    return store
        .read(tx -> tx.alerts().find(id))
        .orElseThrow(() ->
            new TowlineException(
                ALERT_NOT_FOUND, "alert: " + id + " does not exist", "see towline alerts list"));
  }

  private static Alert alert(
      AlertKind kind, String subject, String name, String message, long now) {
    return new Alert(0, kind, subject, name, message, now, now, 1, 0, "", 0);
  }

  private static Alert withId(Alert alert, long id) {
    return new Alert(
        id,
        alert.kind(),
        alert.subject(),
        alert.name(),
        alert.message(),
        alert.raisedMs(),
        alert.changedMs(),
        alert.times(),
        0,
        "",
        0);
  }

  private static String summaryText(AlertKind kind, int number, List<Alert> some) {
    List<String> names = some.stream().limit(NAMES_SHOWN).map(Alert::name).toList();
    return "%d hosts: %s (%s%s)"
        .formatted(
            number, kind.label(), String.join(", ", names), number > NAMES_SHOWN ? ", …" : "");
  }
}
