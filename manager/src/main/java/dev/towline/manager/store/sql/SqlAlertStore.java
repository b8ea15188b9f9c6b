package dev.towline.manager.store.sql;

import dev.towline.manager.alerts.Alert;
import dev.towline.manager.alerts.AlertKind;
import dev.towline.manager.alerts.AlertStore;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.Query;

/** {@link AlertStore} over the table alerts. */
final class SqlAlertStore implements AlertStore {
  private final Handle handle;

  SqlAlertStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public Optional<Alert> find(long id) {
    return handle
        .createQuery("select * from alerts where id = :id")
        .bind("id", id)
        .map((row, _) -> alert(row))
        .findOne();
  }

  @Override
  public Optional<Alert> open(AlertKind kind, String subject) {
    return handle
        .createQuery("select * from alerts where open_key = :key")
        .bind("key", key(kind, subject))
        .map((row, _) -> alert(row))
        .findOne();
  }

  @Override
  public List<Alert> single(AlertKind kind, long sinceMs) {
    return handle
        .createQuery(
            "select * from alerts where kind = :kind and cleared_ms = 0 and subject <> ''"
                + " and summary = 0 and raised_ms >= :since order by id")
        .bind("kind", kind.label())
        .bind("since", sinceMs)
        .map((row, _) -> alert(row))
        .list();
  }

  @Override
  public int membersOf(long summary) {
    return handle
        .createQuery("select count(*) from alerts where summary = :summary and cleared_ms = 0")
        .bind("summary", summary)
        .mapTo(Integer.class)
        .one();
  }

  @Override
  public long raise(Alert alert) {
    return handle
        .createQuery(
            """
            insert into alerts (kind, subject, name, message, raised_ms, changed_ms, times,
              cleared_ms, cleared_by, summary, open_key)
            values (:kind, :subject, :name, :message, :raised, :changed, :times, 0, '', :summary,
              :key)
            returning id
            """)
        .bind("kind", alert.kind().label())
        .bind("subject", alert.subject())
        .bind("name", alert.name())
        .bind("message", alert.message())
        .bind("raised", alert.raisedMs())
        .bind("changed", alert.changedMs())
        .bind("times", alert.times())
        .bind("summary", alert.summary())
        .bind("key", key(alert.kind(), alert.subject()))
        .mapTo(Long.class)
        .one();
  }

  @Override
  public void update(long id, String message, long times, long nowMs) {
    handle
        .createUpdate(
            "update alerts set message = :message, times = :times, changed_ms = :now"
                + " where id = :id")
        .bind("message", message)
        .bind("times", times)
        .bind("now", nowMs)
        .bind("id", id)
        .execute();
  }

  @Override
  public void join(long id, long summary) {
    handle
        .createUpdate("update alerts set summary = :summary where id = :id")
        .bind("summary", summary)
        .bind("id", id)
        .execute();
  }

  @Override
  public boolean clear(long id, long nowMs, String by) {
    return handle
            .createUpdate(
                "update alerts set cleared_ms = :now, cleared_by = :by, open_key = null"
                    + " where id = :id and cleared_ms = 0")
            .bind("now", nowMs)
            .bind("by", by)
            .bind("id", id)
            .execute()
        == 1;
  }

  @Override
  public void clearMembers(long summary, long nowMs, String by) {
    handle
        .createUpdate(
            "update alerts set cleared_ms = :now, cleared_by = :by, open_key = null"
                + " where summary = :summary and cleared_ms = 0")
        .bind("now", nowMs)
        .bind("by", by)
        .bind("summary", summary)
        .execute();
  }

  @Override
  public List<Alert> list(boolean all, boolean members, String subject, long beforeId, int limit) {
    StringBuilder sql = new StringBuilder("select * from alerts where 1 = 1");
    sql.append(all ? "" : " and cleared_ms = 0");
    sql.append(members ? "" : " and summary = 0");
    sql.append(subject.isEmpty() ? "" : " and subject = :subject");
    sql.append(beforeId > 0 ? " and id < :before" : "");
    Query query = handle.createQuery(sql.append(" order by id desc limit :limit").toString());
    if (!subject.isEmpty()) {
      query.bind("subject", subject);
    }
    if (beforeId > 0) {
      query.bind("before", beforeId);
    }
    return query.bind("limit", limit).map((row, _) -> alert(row)).list();
  }

  @Override
  public List<Alert> standing() {
    return handle
        .createQuery(
            "select a.* from alerts a join nodes n on n.id = a.subject where a.cleared_ms = 0"
                + " or (a.cleared_by <> '' and a.raised_ms >= n.last_seen_ms) order by a.id")
        .map((row, _) -> alert(row))
        .list();
  }

  private static Alert alert(ResultSet row) throws SQLException {
    return new Alert(
        row.getLong("id"),
        AlertKind.ofLabel(row.getString("kind")),
        row.getString("subject"),
        row.getString("name"),
        row.getString("message"),
        row.getLong("raised_ms"),
        row.getLong("changed_ms"),
        row.getLong("times"),
        row.getLong("cleared_ms"),
        row.getString("cleared_by"),
        row.getLong("summary"));
  }

  private static String key(AlertKind kind, String subject) {
    return kind.label() + " " + subject;
  }
}
