package dev.towline.manager.session;

import dev.towline.proto.v1.TunnelReport;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The tunnelled connections that parent relays reported: their end as the manager sees it leads to
 * where they came from. Safe for use by several threads.
 */
final class Tunnels {
  private static final int MOST = 200_000;

  private final Map<String, Tunnel> tunnels = new ConcurrentHashMap<>();

  record Tunnel(String relay, TunnelReport report) {}

  void report(String relay, TunnelReport report) {
    String end = key(report.getLocalAddress(), report.getLocalPort());
    if (report.getClosed()) {
      tunnels.computeIfPresent(end, (_, old) -> old.relay().equals(relay) ? null : old);
    } else if (tunnels.size() < MOST) {
      tunnels.put(end, new Tunnel(relay, report));
    }
  }

  /** A relay that says hello reports all its tunnels anew. */
  void forget(String relay) {
    tunnels.values().removeIf(tunnel -> tunnel.relay().equals(relay));
  }

  /**
   * @param source host:port of a connection as the manager sees it
   */
  Optional<TunnelReport> find(String source) {
    return Optional.ofNullable(tunnels.get(source)).map(Tunnel::report);
  }

  private static String key(String address, int port) {
    return address + ":" + port;
  }
}
