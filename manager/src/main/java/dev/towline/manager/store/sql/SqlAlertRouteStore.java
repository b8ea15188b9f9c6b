package dev.towline.manager.store.sql;

import dev.towline.manager.alerts.AlertRoute;
import dev.towline.manager.alerts.AlertRouteStore;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** {@link AlertRouteStore} over the tables alert_routes and alert_messages. */
final class SqlAlertRouteStore implements AlertRouteStore {
  private final Handle handle;

  SqlAlertRouteStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public List<AlertRoute> list() {
    return handle
        .createQuery("select * from alert_routes order by name")
        .map((row, _) -> route(row))
        .list();
  }

  @Override
  public Optional<AlertRoute> find(String name) {
    return handle
        .createQuery("select * from alert_routes where name = :name")
        .bind("name", name)
        .map((row, _) -> route(row))
        .findOne();
  }

  @Override
  public void save(AlertRoute route) {
    handle
        .createUpdate(
            """
            insert into alert_routes (name, target, secret, created_ms, last_sent_ms, last_error)
            values (:name, :target, :secret, :created, :sent, :error)
            on conflict (name) do update set target = excluded.target, secret = excluded.secret
            """)
        .bind("name", route.name())
        .bind("target", route.target())
        .bind("secret", route.secret())
        .bind("created", route.createdMs())
        .bind("sent", route.lastSentMs())
        .bind("error", route.lastError())
        .execute();
  }

  @Override
  public void delete(String name) {
    for (String statement :
        List.of(
            "delete from alert_messages where route = :name",
            "delete from alert_routes where name = :name")) {
      handle.createUpdate(statement).bind("name", name).execute();
    }
  }

  @Override
  public void tried(String name, long nowMs, String error) {
    handle
        .createUpdate(
            "update alert_routes set last_error = :error,"
                + " last_sent_ms = case when :error = '' then :now else last_sent_ms end"
                + " where name = :name")
        .bind("error", error)
        .bind("now", nowMs)
        .bind("name", name)
        .execute();
  }

  @Override
  public void send(String route, long alert, String what, long dueMs) {
    handle
        .createUpdate(
            "insert into alert_messages (route, alert, what, attempts, created_ms, due_ms)"
                + " values (:route, :alert, :what, 0, :due, :due)")
        .bind("route", route)
        .bind("alert", alert)
        .bind("what", what)
        .bind("due", dueMs)
        .execute();
  }

  @Override
  public List<Message> due(long nowMs, int limit) {
    // A later message of a route waits for the earlier ones.
    return handle
        .createQuery(
            "select * from alert_messages m where due_ms <= :now and not exists (select 1 from"
                + " alert_messages e where e.route = m.route and e.id < m.id and e.due_ms > :now)"
                + " order by id limit :limit")
        .bind("now", nowMs)
        .bind("limit", limit)
        .map((row, _) ->
            new Message(
                row.getLong("id"),
                row.getString("route"),
                row.getLong("alert"),
                row.getString("what"),
                row.getInt("attempts"),
                row.getLong("created_ms")))
        .list();
  }

  @Override
  public void later(long message, long dueMs) {
    handle
        .createUpdate(
            "update alert_messages set due_ms = :due, attempts = attempts + 1 where id = :id")
        .bind("due", dueMs)
        .bind("id", message)
        .execute();
  }

  @Override
  public void done(long message) {
    handle.createUpdate("delete from alert_messages where id = :id").bind("id", message).execute();
  }

  private static AlertRoute route(ResultSet row) throws SQLException {
    return new AlertRoute(
        row.getString("name"),
        row.getString("target"),
        row.getString("secret"),
        row.getLong("created_ms"),
        row.getLong("last_sent_ms"),
        row.getString("last_error"));
  }
}
