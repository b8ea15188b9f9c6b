package dev.towline.manager.relays;

import dev.towline.proto.v1.RelayReport;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What relays in session with this manager last said about themselves. In memory only: a relay
 * reports anew at the start of each session. Safe for use by several threads.
 */
public final class RelayReports {
  private final Map<String, Reported> reports = new ConcurrentHashMap<>();

  /** */
  public record Reported(RelayReport report, long receivedMs) {}

  public void take(String relay, RelayReport report, long nowMs) {
    reports.put(relay, new Reported(report, nowMs));
  }

  public void forget(String relay) {
    reports.remove(relay);
  }

  public Optional<Reported> of(String relay) {
    return Optional.ofNullable(reports.get(relay));
  }
}
