package dev.towline.manager.heartbeat;

import dev.towline.proto.v1.HostReport;
import java.util.List;
import java.util.Map;

/** What hosts said with their heartbeats. Part of a transaction. */
public interface HeartbeatStore {
  /** Every agent that is not revoked. */
  List<HeartbeatMonitor.Known> hosts();

  /** By id of the host. */
  Map<String, HostReport> reports();

  void save(Map<String, HostReport> reports);
}
