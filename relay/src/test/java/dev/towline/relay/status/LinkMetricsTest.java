package dev.towline.relay.status;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class LinkMetricsTest {

  @Test
  @Requirement("R7")
  void refusals_areCountedByReason() {
    LinkMetrics metrics =
        new LinkMetrics(List::of, () -> Map.of("PAIR_FULL", 3L, "NOT_ADMITTED", 1L));

    CounterSnapshot refused =
        metrics.collect().stream()
            .filter(each -> each.getMetadata().getName().equals("towline_relay_refused"))
            .map(CounterSnapshot.class::cast)
            .findFirst()
            .orElseThrow();

    assertThat(refused.getDataPoints())
        .extracting(point -> point.getLabels(), point -> point.getValue())
        .containsExactlyInAnyOrder(
            org.assertj.core.groups.Tuple.tuple(Labels.of("reason", "PAIR_FULL"), 3.0),
            org.assertj.core.groups.Tuple.tuple(Labels.of("reason", "NOT_ADMITTED"), 1.0));
  }
}
