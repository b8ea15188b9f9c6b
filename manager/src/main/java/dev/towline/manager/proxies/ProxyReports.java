package dev.towline.manager.proxies;

import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.ProxyLoad;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What proxies in session with this manager last said of their load. In memory only: a session
 * begins with a whole heartbeat. Safe for use by several threads.
 */
public final class ProxyReports {
  private final Map<String, Reported> reports = new ConcurrentHashMap<>();

  /** Everything that was said so far, and when the latest of it came. */
  public record Reported(Map<String, Long> counters, long receivedMs) {
    public Reported {
      counters = Map.copyOf(counters);
    }

    public long counter(String name) {
      return counters.getOrDefault(name, 0L);
    }

    public boolean draining() {
      return counter("proxy.draining") > 0;
    }

    public ProxyLoad load() {
      return ProxyLoad.newBuilder()
          .setReportedMs(receivedMs)
          .setCpuPermille(counter("proxy.cpu_permille"))
          .setResidentKib(counter("proxy.resident_kib"))
          .setQueuedUp(counter("proxy.queued_up_bytes"))
          .setQueuedDown(counter("proxy.queued_down_bytes"))
          .setWaiting(counter("proxy.waiting"))
          .setBytesUp(counter("proxy.bytes_up"))
          .setBytesDown(counter("proxy.bytes_down"))
          .build();
    }
  }

  /** Only what changed travels in a heartbeat. */
  public void take(String proxy, Heartbeat heartbeat, long nowMs) {
    reports.merge(
        proxy,
        new Reported(heartbeat.getCountersMap(), nowMs),
        (before, now) -> {
          Map<String, Long> all = new HashMap<>(before.counters());
          all.putAll(now.counters());
          return new Reported(all, nowMs);
        });
  }

  public void forget(String proxy) {
    reports.remove(proxy);
  }

  public Optional<Reported> of(String proxy) {
    return Optional.ofNullable(reports.get(proxy));
  }
}
