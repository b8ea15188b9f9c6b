package dev.towline.manager.session;

import dev.towline.proto.v1.TunnelReport;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The tunnelled connections that parent relays reported: their end as the manager sees it leads to
 * where they came from. Safe for use by several threads.
 */
final class Tunnels {
  private static final int MOST = 200_000;

  private final Map<String, Tunnel> tunnels = new ConcurrentHashMap<>();

  /** Connections whose report is waited for. */
  private final Map<String, CompletableFuture<TunnelReport>> missed = new ConcurrentHashMap<>();

  record Tunnel(String relay, TunnelReport report) {}

  void report(String relay, TunnelReport report) {
    String end = key(report.getLocalAddress(), report.getLocalPort());
    if (report.getClosed()) {
      tunnels.computeIfPresent(end, (_, old) -> old.relay().equals(relay) ? null : old);
    } else if (tunnels.size() < MOST) {
      tunnels.put(end, new Tunnel(relay, report));
      CompletableFuture<TunnelReport> wanted = missed.remove(end);
      if (wanted != null) {
        var _ = wanted.complete(report);
      }
    }
  }

  /**
   * As {@link #find}, and waits for a report that is still on its way: that takes another
   * connection than the one it is about. Blocks.
   */
  Optional<TunnelReport> await(String source, Duration limit) throws InterruptedException {
    CompletableFuture<TunnelReport> report =
        missed.computeIfAbsent(source, _ -> new CompletableFuture<>());
    try {
      Optional<TunnelReport> known = find(source);
      return known.isPresent()
          ? known
          : Optional.of(report.get(limit.toMillis(), TimeUnit.MILLISECONDS));
    } catch (TimeoutException e) {
      return Optional.empty();
    } catch (ExecutionException e) {
      throw new IllegalStateException("nobody fails it", e);
    } finally {
      missed.remove(source, report);
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
