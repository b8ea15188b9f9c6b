package dev.towline.manager.updates;

import dev.towline.manager.alerts.AlertKind;
import dev.towline.manager.alerts.Alerts;
import dev.towline.manager.store.Store;
import dev.towline.runtime.updates.MetadataRole;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Raises an alert when the repository comes near its end, which happens when a root that is kept
 * offline was not signed again, or nothing could be signed for long.
 *
 * <p>Threading: one thread calls {@link #check} now and then.
 */
public final class UpdateExpiry {
  static final Duration AHEAD = Duration.ofDays(30);

  /** Less than that is left of a timestamp only when renewing failed for days. */
  private static final Duration TIMESTAMP_AHEAD = Duration.ofDays(3);

  private static final String SUBJECT = "updates";

  private final Store store;
  private final Alerts alerts;
  private final UpdateRepository repository;
  private final InstantSource clock;
  private Optional<Boolean> told = Optional.empty();

  public UpdateExpiry(
      Store store, Alerts alerts, UpdateRepository repository, InstantSource clock) {
    this.store = store;
    this.alerts = alerts;
    this.repository = repository;
    this.clock = clock;
  }

  public void check() {
    Instant now = clock.instant();
    Optional<Map.Entry<MetadataRole, Instant>> first =
        repository.expiries().entrySet().stream()
            .filter(entry -> !now.isBefore(entry.getValue().minus(ahead(entry.getKey()))))
            .min(Map.Entry.comparingByValue());
    boolean near = first.isPresent();
    if (told.isPresent() && told.get() == near) {
      return;
    }
    boolean stands =
        store.commit(tx -> {
          if (near) {
            alerts.raise(
                tx,
                List.of(
                    new Alerts.Wanted(
                        AlertKind.UPDATES_EXPIRE,
                        SUBJECT,
                        SUBJECT,
                        "the %s of the repository ends %s, then hosts refuse every update: %s"
                            .formatted(
                                first.get().getKey().label(),
                                first.get().getValue().truncatedTo(ChronoUnit.SECONDS),
                                first.get().getKey() == MetadataRole.ROOT
                                    ? "sign a new one, see towline updates draft-root --help"
                                    : "see why the manager's log says that it can't sign"))));
          } else {
            alerts.over(tx, AlertKind.UPDATES_EXPIRE, SUBJECT);
          }
          return near;
        });
    told = Optional.of(stands);
  }

  private static Duration ahead(MetadataRole role) {
    return role == MetadataRole.TIMESTAMP ? TIMESTAMP_AHEAD : AHEAD;
  }
}
