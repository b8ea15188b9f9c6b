package dev.towline.manager.store.sql;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.logs.LogLevel;
import dev.towline.manager.logs.LogQuery;
import dev.towline.manager.logs.LogStore;
import dev.towline.manager.logs.StoredLog;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.PreparedBatch;
import org.jdbi.v3.core.statement.Query;

/** {@link LogStore} over the tables logs and log_intervals. */
final class SqlLogStore implements LogStore {
  private static final int COUNTERS = -1;

  private final Handle handle;

  SqlLogStore(Handle handle) {
    this.handle = handle;
  }

  private record Interval(long first, long last) {}

  @Override
  public int add(String node, LogBatch batch, long nowMs) {
    long first = batch.getFirstSequence();
    long last = first + batch.getRecordsCount() - 1;
    // Those that touch it, too: they become one.
    List<Interval> known =
        handle
            .createQuery(
                "select first, last from log_intervals where node = :node and epoch = :epoch"
                    + " and first <= :last + 1 and last >= :first - 1 order by first")
            .bind("node", node)
            .bind("epoch", batch.getEpoch())
            .bind("first", first)
            .bind("last", last)
            .map((row, _) -> new Interval(row.getLong("first"), row.getLong("last")))
            .list();
    int added = insertMissing(node, batch, known, nowMs);
    if (added > 0) {
      merge(node, batch.getEpoch(), new Interval(first, last), known, nowMs);
    }
    return added;
  }

  private int insertMissing(String node, LogBatch batch, List<Interval> known, long nowMs) {
    PreparedBatch rows =
        handle.prepareBatch(
            "insert into logs (node, epoch, sequence, time_ms, received_ms, level, source, message,"
                + " code, counters) values (:node, :epoch, :sequence, :time, :received, :level,"
                + " :source, :message, :code, :counters)");
    long sequence = batch.getFirstSequence();
    for (LogRecord log : batch.getRecordsList()) {
      long number = sequence++;
      if (known.stream().anyMatch(i -> i.first() <= number && number <= i.last())) {
        continue;
      }
      boolean counters = log.getCountersCount() > 0;
      rows.bind("node", node)
          .bind("epoch", batch.getEpoch())
          .bind("sequence", number)
          .bind("time", log.getTimeMs())
          .bind("received", nowMs)
          .bind("level", counters ? COUNTERS : LogLevel.claimed(log.getLevel()).ordinal())
          .bind("source", text(log.getSource()))
          .bind("message", text(log.getMessage()))
          .bind("code", text(log.getCode()))
          .bind("counters", counters ? countersOf(log) : new byte[0])
          .add();
    }
    int count = rows.size();
    if (count > 0) {
      rows.execute();
    }
    return count;
  }

  /** PostgreSQL has no such character. */
  private static String text(String claimed) {
    return claimed.replace('\0', '\uFFFD');
  }

  private static byte[] countersOf(LogRecord log) {
    return LogRecord.newBuilder().putAllCounters(log.getCountersMap()).build().toByteArray();
  }

  private void merge(String node, long epoch, Interval added, List<Interval> known, long nowMs) {
    long first =
        Math.min(added.first(), known.isEmpty() ? added.first() : known.getFirst().first());
    long last = known.stream().mapToLong(Interval::last).reduce(added.last(), Math::max);
    for (Interval old : known) {
      handle
          .createUpdate(
              "delete from log_intervals where node = :node and epoch = :epoch and first = :first")
          .bind("node", node)
          .bind("epoch", epoch)
          .bind("first", old.first())
          .execute();
    }
    handle
        .createUpdate(
            "insert into log_intervals (node, epoch, first, last, updated_ms)"
                + " values (:node, :epoch, :first, :last, :now)")
        .bind("node", node)
        .bind("epoch", epoch)
        .bind("first", first)
        .bind("last", last)
        .bind("now", nowMs)
        .execute();
  }

  @Override
  public List<StoredLog> list(LogQuery asked) {
    boolean forward = asked.afterId() > 0;
    StringBuilder sql = new StringBuilder("select * from logs where node = :node");
    sql.append(asked.counters() ? " and level = -1" : " and level >= :level");
    if (!asked.source().isEmpty()) {
      sql.append(" and substr(source, 1, :length) = :source");
    }
    if (asked.sinceMs() > 0) {
      sql.append(" and time_ms >= :since");
    }
    if (asked.beforeId() > 0) {
      sql.append(" and id < :before");
    }
    if (forward) {
      sql.append(" and id > :after");
    }
    sql.append(forward ? " order by id limit :limit" : " order by id desc limit :limit");
    Query query = handle.createQuery(sql.toString()).bind("node", asked.node());
    if (!asked.counters()) {
      query.bind("level", asked.level().ordinal());
    }
    if (!asked.source().isEmpty()) {
      query.bind("length", asked.source().length()).bind("source", asked.source());
    }
    if (asked.sinceMs() > 0) {
      query.bind("since", asked.sinceMs());
    }
    if (asked.beforeId() > 0) {
      query.bind("before", asked.beforeId());
    }
    if (forward) {
      query.bind("after", asked.afterId());
    }
    return query.bind("limit", asked.limit()).map((row, _) -> log(row)).list();
  }

  private static StoredLog log(ResultSet row) throws SQLException {
    int level = row.getInt("level");
    LogRecord.Builder record =
        LogRecord.newBuilder()
            .setTimeMs(row.getLong("time_ms"))
            .setSource(row.getString("source"))
            .setMessage(row.getString("message"))
            .setCode(row.getString("code"));
    if (level == COUNTERS) {
      try {
        record.putAllCounters(LogRecord.parseFrom(row.getBytes("counters")).getCountersMap());
      } catch (InvalidProtocolBufferException e) {
        throw new SQLException("counters of a log can't be read", e);
      }
    } else {
      record.setLevel(LogLevel.values()[level].name());
    }
    return new StoredLog(
        row.getLong("id"),
        row.getLong("epoch"),
        row.getLong("sequence"),
        row.getLong("received_ms"),
        record.build());
  }

  @Override
  public int prune(long receivedBeforeMs, long most, int limit) {
    long newest =
        handle.createQuery("select coalesce(max(id), 0) from logs").mapTo(Long.class).one();
    int removed =
        handle
            .createUpdate(
                "delete from logs where id in (select id from logs"
                    + " where received_ms < :before or id <= :floor order by id limit :limit)")
            .bind("before", receivedBeforeMs)
            .bind("floor", newest - most)
            .bind("limit", limit)
            .execute();
    // A proxy may have been cut off for as long as that, not longer.
    handle
        .createUpdate("delete from log_intervals where updated_ms < :before")
        .bind("before", receivedBeforeMs - 90L * 24 * 3600 * 1000)
        .execute();
    return removed;
  }
}
