package dev.towline.manager.store.sql;

import dev.towline.manager.groups.GroupStore;
import dev.towline.manager.groups.HostGroup;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** {@link GroupStore} over the table host_groups. */
final class SqlGroupStore implements GroupStore {
  private static final String COUNTED =
      """
      select g.name, g.description, g.created_ms,
        (select count(*) from nodes n where n.role = 'agent' and n.revoked_ms = 0
          and n.group_name = g.name) as hosts,
        (select count(*) from nodes n where n.role = 'agent' and n.revoked_ms = 0
          and n.group_name = g.name and n.presence = 'online') as online
      from host_groups g
      """;

  private final Handle handle;

  SqlGroupStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public void ensure(String name, long nowMs) {
    handle
        .createUpdate(
            "insert into host_groups (name, description, created_ms) values (:name, '', :now)"
                + " on conflict (name) do nothing")
        .bind("name", name)
        .bind("now", nowMs)
        .execute();
  }

  @Override
  public void create(String name, String description, long nowMs) {
    handle
        .createUpdate(
            "insert into host_groups (name, description, created_ms)"
                + " values (:name, :description, :now)")
        .bind("name", name)
        .bind("description", description)
        .bind("now", nowMs)
        .execute();
  }

  @Override
  public Optional<HostGroup> find(String name) {
    return handle
        .createQuery(COUNTED + " where g.name = :name")
        .bind("name", name)
        .map((row, _) -> group(row))
        .findOne();
  }

  @Override
  public List<HostGroup> list() {
    return handle.createQuery(COUNTED + " order by g.name").map((row, _) -> group(row)).list();
  }

  @Override
  public void rename(String name, String newName) {
    for (String statement :
        List.of(
            "update host_groups set name = :new where name = :old",
            "update nodes set group_name = :new where group_name = :old",
            "update tokens set group_name = :new where group_name = :old")) {
      handle.createUpdate(statement).bind("new", newName).bind("old", name).execute();
    }
  }

  @Override
  public void delete(String name) {
    handle.createUpdate("delete from host_groups where name = :name").bind("name", name).execute();
  }

  private static HostGroup group(ResultSet row) throws SQLException {
    return new HostGroup(
        row.getString("name"),
        row.getString("description"),
        row.getLong("created_ms"),
        row.getInt("hosts"),
        row.getInt("online"));
  }
}
