package dev.towline.manager.store.sql;

import dev.towline.manager.heartbeat.HeartbeatMonitor;
import dev.towline.manager.heartbeat.HeartbeatStore;
import dev.towline.manager.nodes.Presence;
import dev.towline.proto.v1.HostReport;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.PreparedBatch;

/** {@link HeartbeatStore} over the tables nodes and host_reports. */
final class SqlHeartbeatStore implements HeartbeatStore {
  private final Handle handle;

  SqlHeartbeatStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public List<HeartbeatMonitor.Known> hosts() {
    return handle
        .createQuery(
            "select id, name, policy, presence, last_seen_ms from nodes"
                + " where role = 'agent' and revoked_ms = 0")
        .map((row, _) ->
            new HeartbeatMonitor.Known(
                row.getString("id"),
                row.getString("name"),
                row.getString("policy"),
                Presence.ofLabel(row.getString("presence")),
                row.getLong("last_seen_ms")))
        .list();
  }

  @Override
  public Map<String, HostReport> reports() {
    Map<String, HostReport> reports = new HashMap<>();
    handle
        .createQuery("select node, report from host_reports")
        .map((row, _) ->
            Map.entry(row.getString("node"), Columns.message(row, "report", HostReport.parser())))
        .forEach(entry -> reports.put(entry.getKey(), entry.getValue()));
    return reports;
  }

  @Override
  public void save(Map<String, HostReport> reports) {
    if (reports.isEmpty()) {
      return;
    }
    PreparedBatch batch =
        handle.prepareBatch(
            "insert into host_reports (node, report) values (:node, :report)"
                + " on conflict (node) do update set report = excluded.report");
    reports.forEach(
        (node, report) -> batch.bind("node", node).bind("report", report.toByteArray()).add());
    batch.execute();
  }
}
