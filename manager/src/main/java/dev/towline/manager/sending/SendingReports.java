package dev.towline.manager.sending;

import dev.towline.manager.events.Events;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.store.Store;
import dev.towline.proto.v1.UplinkReport;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * What proxies report of their sending, and what follows from it: each proxy's part of its
 * cluster's bandwidth, and the two warnings at 60 % (P7).
 *
 * <p>Threading: safe for use by several threads. Only this manager's uplinks are known here.
 */
public final class SendingReports {
  private static final long WINDOW = Duration.ofSeconds(60).toMillis();
  private static final long RECENT = Duration.ofSeconds(5).toMillis();

  /** A proxy that was silent for so long has no part any more. */
  private static final long SILENT = Duration.ofSeconds(5).toMillis();

  private static final long BACKLOG = 64 << 10;
  private static final double WARN_AT = 0.60;
  private static final double CALM_AT = 0.55;

  private final Store store;
  private final Events events;
  private final InstantSource clock;
  private final Map<String, Reported> proxies = new TreeMap<>();
  private final Map<String, Boolean> warned = new TreeMap<>();

  public SendingReports(Store store, Events events, InstantSource clock) {
    this.store = store;
    this.events = events;
    this.clock = clock;
  }

  private record Sample(long timeMs, long required, long sent, int cpuPermille) {}

  private static final class Reported {
    final String cluster;
    final Deque<Sample> samples = new ArrayDeque<>();
    UplinkReport last = UplinkReport.getDefaultInstance();
    LongConsumer share;
    long told = -1;

    Reported(String cluster, LongConsumer share) {
      this.cluster = cluster;
      this.share = share;
    }

    long atMs() {
      return samples.isEmpty() ? 0 : samples.getLast().timeMs();
    }

    /**
     * Of the host's processors over the last minute, in thousandths; 0 until half of one has
     * passed: a start takes all that it can get for a moment.
     */
    int cpuPermille() {
      long known = samples.getLast().timeMs() - samples.getFirst().timeMs();
      return known < WINDOW / 2
          ? 0
          : (int) samples.stream().mapToInt(Sample::cpuPermille).average().orElse(0);
    }

    /** The resource that it needs most of, as a part of the host's. */
    double mostUsed() {
      return Math.max(cpuPermille(), Math.max(last.getMemoryPermille(), last.getDiskPermille()))
          / 1000.0;
    }

    /** Bytes per second over the last so many milliseconds. */
    Rates rates(long overMs) {
      Sample newest = samples.getLast();
      Sample from = samples.getFirst();
      for (Sample sample : samples) {
        if (newest.timeMs() - sample.timeMs() >= overMs) {
          from = sample;
        }
      }
      double seconds = (newest.timeMs() - from.timeMs()) / 1000.0;
      return seconds <= 0
          ? new Rates(0, 0)
          : new Rates(
              (newest.required() - from.required()) / seconds,
              (newest.sent() - from.sent()) / seconds);
    }
  }

  /** Bytes per second. */
  record Rates(double required, double sent) {}

  /** A proxy's last report and its rates. */
  record View(UplinkReport report, long atMs, Rates rates) {}

  /**
   * A proxy reported.
   *
   * @param share tells it its part; must not block
   */
  public void report(String proxy, UplinkReport report, LongConsumer share) {
    String cluster;
    Optional<ClusterSending> policy;
    Reported before;
    synchronized (this) {
      before = proxies.get(proxy);
    }
    cluster =
        before != null
            ? before.cluster
            : store.read(tx -> tx.nodes().find(proxy)).map(Node::proxyCluster).orElse("");
    policy = store.read(tx -> tx.sending().find(cluster));
    synchronized (this) {
      Reported own = proxies.computeIfAbsent(proxy, _ -> new Reported(cluster, share));
      if (!own.share.equals(share)) {
        own.share = share;
        own.told = -1;
      }
      if (report.getRequiredBytes() < own.last.getRequiredBytes()) {
        // Another start of the proxy.
        own.samples.clear();
        own.told = -1;
      }
      own.last = report;
      long now = clock.millis();
      own.samples.add(
          new Sample(
              now, report.getRequiredBytes(), report.getSentBytes(), report.getCpuPermille()));
      while (own.samples.size() > 2 && now - own.samples.getFirst().timeMs() > WINDOW) {
        own.samples.removeFirst();
      }
      ClusterSending sending = policy.orElse(ClusterSending.USUAL);
      share(cluster, sending, now);
      warn(cluster, sending, now);
    }
  }

  private List<Map.Entry<String, Reported>> members(String cluster, long now) {
    return proxies.entrySet().stream()
        .filter(entry -> entry.getValue().cluster.equals(cluster))
        .filter(entry -> now - entry.getValue().atMs() <= SILENT)
        .toList();
  }

  private void share(String cluster, ClusterSending sending, long now) {
    long bandwidth = sending.policy().getClusterBandwidth();
    List<Map.Entry<String, Reported>> members = members(cluster, now);
    if (bandwidth <= 0) {
      return;
    }
    Map<String, Long> parts =
        BandwidthSplit.split(
            bandwidth,
            members.stream()
                .map(entry ->
                    new BandwidthSplit.Demand(
                        entry.getKey(),
                        entry.getValue().rates(RECENT).required(),
                        entry.getValue().last.getWaitingBytes() > BACKLOG))
                .toList());
    // Those that get less first, so that the sum stays below the whole.
    members.stream()
        .sorted((a, b) ->
            Long.compare(
                parts.getOrDefault(a.getKey(), 0L) - a.getValue().told,
                parts.getOrDefault(b.getKey(), 0L) - b.getValue().told))
        .forEach(entry -> {
          long part = parts.getOrDefault(entry.getKey(), 0L);
          if (part != entry.getValue().told) {
            entry.getValue().told = part;
            entry.getValue().share.accept(part);
          }
        });
  }

  private void warn(String cluster, ClusterSending sending, long now) {
    if (sending.linkCapacity() > 0) {
      double used = 8 * required(cluster, now) / sending.linkCapacity();
      edge(
          "sending.link_above_60_percent",
          cluster,
          used,
          "clients of %s send %.0f %% of the declared %d bit/s"
              .formatted(cluster, 100 * used, sending.linkCapacity()));
    }
    for (Map.Entry<String, Reported> entry : members(cluster, now)) {
      UplinkReport report = entry.getValue().last;
      edge(
          "sending.resources_above_60_percent",
          entry.getKey(),
          entry.getValue().mostUsed(),
          "%.0f %% of the host's processors, %.0f %% of its memory, and a spool of %.0f %% of the disk"
              .formatted(
                  entry.getValue().cpuPermille() / 10.0,
                  report.getMemoryPermille() / 10.0,
                  report.getDiskPermille() / 10.0));
    }
  }

  /** Told once when it begins and once when it is over. */
  private void edge(String code, String subject, double used, String detail) {
    String key = code + "/" + subject;
    boolean was = warned.getOrDefault(key, false);
    if (!was && used > WARN_AT) {
      warned.put(key, true);
      events.record(code, subject, detail);
    } else if (was && used < CALM_AT) {
      warned.remove(key);
      events.record(code + ".over", subject, detail);
    }
  }

  /** Bytes per second that the cluster's clients sent in the last minute. */
  private double required(String cluster, long now) {
    return members(cluster, now).stream()
        .mapToDouble(entry -> entry.getValue().rates(WINDOW).required())
        .sum();
  }

  synchronized double required(String cluster) {
    return required(cluster, clock.millis());
  }

  synchronized @Nullable View view(String proxy) {
    Reported reported = proxies.get(proxy);
    return reported == null || reported.samples.isEmpty()
        ? null
        : new View(reported.last, reported.atMs(), reported.rates(WINDOW));
  }

  /** What is above 60 % now. */
  synchronized List<String> warnings(String cluster, ClusterSending sending, List<Node> members) {
    List<String> told = new ArrayList<>();
    if (warned.containsKey("sending.link_above_60_percent/" + cluster)) {
      told.add(
          String.format(
              Locale.ROOT,
              "required bandwidth: %.0f %% of the declared link capacity (expected: at most 60 %%)",
              800 * required(cluster, clock.millis()) / Math.max(1, sending.linkCapacity())));
    }
    for (Node node : members) {
      Reported reported = proxies.get(node.id());
      if (reported != null
          && warned.containsKey("sending.resources_above_60_percent/" + node.id())) {
        told.add(
            String.format(
                Locale.ROOT,
                "proxy %s requires %.0f %% of a resource of its host (expected: at most 60 %%)",
                node.name(),
                100 * reported.mostUsed()));
      }
    }
    return told;
  }
}
