package dev.towline.relay.status;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.prometheus.metrics.model.snapshots.Unit;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * The persistent connections as Prometheus sees them: one time series each, as they are now; and
 * what was refused.
 */
final class LinkMetrics implements MultiCollector {
  private static final String PREFIX = "towline_relay_connection_";

  private final Supplier<List<LinkView>> links;
  private final Supplier<Map<String, Long>> refusals;

  LinkMetrics(Supplier<List<LinkView>> links, Supplier<Map<String, Long>> refusals) {
    this.links = links;
    this.refusals = refusals;
  }

  @Override
  public MetricSnapshots collect() {
    List<LinkView> now = links.get();
    return MetricSnapshots.of(
        gauge(
            now,
            "up",
            "1 while the persistent connection stands.",
            link ->
                link.state() == LinkView.State.UP || link.state() == LinkView.State.DRAINING
                    ? 1
                    : 0),
        gauge(
            now,
            "draining",
            "1 while it takes no new connections.",
            link -> link.state() == LinkView.State.DRAINING ? 1 : 0),
        gauge(
            now,
            "since_timestamp_seconds",
            "When it entered its present state.",
            link -> link.since().toEpochMilli() / 1000.0),
        gauge(
            now,
            "round_trip_seconds",
            "Of the last ping that was answered; 0 before the first.",
            link -> {
              Duration roundTrip = link.roundTrip();
              return roundTrip == null ? 0 : roundTrip.toNanos() / 1e9;
            }),
        gauge(
            now,
            "streams",
            "Tunnelled TCP connections that are open.",
            link -> link.totals().open()),
        gauge(
            now,
            "stalled_streams",
            "Those whose reader does not keep up.",
            link -> link.totals().stalled()),
        gauge(now, "reserve", "Streams that wait for a connection.", LinkView::reserve),
        counter(
            now,
            "opened_streams",
            "Tunnelled TCP connections since it came up.",
            link -> link.totals().opened()),
        bytes(now, "sent", link -> link.totals().bytesSent()),
        bytes(now, "received", link -> link.totals().bytesReceived()),
        refused());
  }

  private CounterSnapshot refused() {
    CounterSnapshot.Builder all =
        CounterSnapshot.builder()
            .name("towline_relay_refused")
            .help("Connections that were refused, by reason.");
    refusals
        .get()
        .forEach((reason, count) ->
            all.dataPoint(
                CounterSnapshot.CounterDataPointSnapshot.builder()
                    .labels(Labels.of("reason", reason))
                    .value(count)
                    .build()));
    return all.build();
  }

  private static GaugeSnapshot gauge(
      List<LinkView> links, String name, String help, ToDoubleFunction<LinkView> value) {
    GaugeSnapshot.Builder all = GaugeSnapshot.builder().name(PREFIX + name).help(help);
    for (LinkView link : links) {
      all.dataPoint(
          GaugeSnapshot.GaugeDataPointSnapshot.builder()
              .labels(labels(link))
              .value(value.applyAsDouble(link))
              .build());
    }
    return all.build();
  }

  private static CounterSnapshot counter(
      List<LinkView> links, String name, String help, ToDoubleFunction<LinkView> value) {
    return points(CounterSnapshot.builder().name(PREFIX + name).help(help), links, value);
  }

  private static CounterSnapshot bytes(
      List<LinkView> links, String direction, ToDoubleFunction<LinkView> value) {
    return points(
        CounterSnapshot.builder()
            .name(PREFIX + direction + "_bytes")
            .unit(Unit.BYTES)
            .help("Bytes of tunnelled connections " + direction + " since it came up."),
        links,
        value);
  }

  private static CounterSnapshot points(
      CounterSnapshot.Builder all, List<LinkView> links, ToDoubleFunction<LinkView> value) {
    for (LinkView link : links) {
      all.dataPoint(
          CounterSnapshot.CounterDataPointSnapshot.builder()
              .labels(labels(link))
              .value(value.applyAsDouble(link))
              .build());
    }
    return all.build();
  }

  private static Labels labels(LinkView link) {
    return Labels.of(
        "peer",
        link.peer(),
        "side",
        link.toParent() ? "parent" : "child",
        "index",
        String.valueOf(link.index()));
  }
}
