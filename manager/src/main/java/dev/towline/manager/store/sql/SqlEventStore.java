package dev.towline.manager.store.sql;

import dev.towline.manager.events.EventRecord;
import dev.towline.manager.events.EventStore;
import java.util.List;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.Query;

/** {@link EventStore} over the table events. */
final class SqlEventStore implements EventStore {
  private final Handle handle;

  SqlEventStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public boolean add(EventRecord event, String reportId) {
    return handle
            .createUpdate(
                "insert into events (time_ms, code, subject, detail, reporter, report_id)"
                    + " values (:time, :code, :subject, :detail, :reporter, :report)"
                    + " on conflict (report_id) do nothing")
            .bind("time", event.timeMs())
            .bind("code", event.code())
            .bind("subject", event.subject())
            .bind("detail", event.detail())
            .bind("reporter", event.reporter())
            .bind("report", reportId.isEmpty() ? null : reportId)
            .execute()
        == 1;
  }

  @Override
  public List<EventRecord> list(String code, String subject, long beforeId, int limit) {
    StringBuilder sql = new StringBuilder("select * from events where 1 = 1");
    if (!code.isEmpty()) {
      sql.append(" and code = :code");
    }
    if (!subject.isEmpty()) {
      sql.append(
          " and (subject = :subject"
              + " or subject in (select id from nodes where name = :subject))");
    }
    if (beforeId > 0) {
      sql.append(" and id < :before");
    }
    Query query = handle.createQuery(sql.append(" order by id desc limit :limit").toString());
    if (!code.isEmpty()) {
      query.bind("code", code);
    }
    if (!subject.isEmpty()) {
      query.bind("subject", subject);
    }
    if (beforeId > 0) {
      query.bind("before", beforeId);
    }
    return query
        .bind("limit", limit)
        .map((row, _) ->
            new EventRecord(
                row.getLong("id"),
                row.getLong("time_ms"),
                row.getString("code"),
                row.getString("subject"),
                row.getString("detail"),
                row.getString("reporter")))
        .list();
  }
}
