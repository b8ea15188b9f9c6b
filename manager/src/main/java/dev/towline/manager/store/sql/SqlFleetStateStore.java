package dev.towline.manager.store.sql;

import dev.towline.manager.fleet.FleetStateStore;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** {@link FleetStateStore} over the table fleet_values. */
final class SqlFleetStateStore implements FleetStateStore {
  private final Handle handle;

  SqlFleetStateStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public Optional<String> value(String name) {
    return handle
        .createQuery("select value from fleet_values where name = :name")
        .bind("name", name)
        .mapTo(String.class)
        .findOne();
  }

  @Override
  public void put(String name, String value) {
    handle
        .createUpdate(
            "insert into fleet_values (name, value) values (:name, :value)"
                + " on conflict (name) do update set value = excluded.value")
        .bind("name", name)
        .bind("value", value)
        .execute();
  }

  @Override
  public long next(String counter) {
    long next = value(counter).map(Long::parseLong).orElse(0L) + 1;
    put(counter, Long.toString(next));
    return next;
  }
}
