package dev.towline.manager.console;

import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListHostsResponse;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.PathHop;
import dev.towline.proto.v1.Role;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What the table of hosts shows.
 *
 * @param selector as it was typed
 * @param problem why there are no rows; empty when all is well
 * @param total hosts that match, also those that are not shown
 */
public record HostsPage(
    String selector, String problem, List<Row> rows, List<Count> counts, int total) {
  public HostsPage {
    rows = List.copyOf(rows);
    counts = List.copyOf(counts);
  }

  /** One host. */
  public record Row(
      String id,
      String name,
      String group,
      String state,
      String path,
      String version,
      String lastSeen,
      String lastSeenAt) {}

  /** How many of the shown hosts are in a state. */
  public record Count(String state, int number) {}

  static HostsPage of(String selector, ListHostsResponse hosts, Instant now) {
    Map<HostState, Integer> counts = new EnumMap<>(HostState.class);
    List<Row> rows = new ArrayList<>();
    for (Host host : hosts.getHostsList()) {
      counts.merge(host.getState(), 1, Integer::sum);
      rows.add(
          new Row(
              host.getId(),
              host.getName(),
              host.getGroup().isEmpty() ? "–" : host.getGroup(),
              label(host.getState()),
              path(host.getPath()),
              host.getFacts().getProgramVersion().isEmpty()
                  ? "–"
                  : host.getFacts().getProgramVersion(),
              ago(host.getLastSeenMs(), now),
              host.getLastSeenMs() == 0
                  ? ""
                  : Instant.ofEpochMilli(host.getLastSeenMs()).toString()));
    }
    return new HostsPage(
        selector,
        "",
        rows,
        counts.entrySet().stream().map(e -> new Count(label(e.getKey()), e.getValue())).toList(),
        hosts.getTotal());
  }

  static HostsPage failed(String selector, String problem) {
    return new HostsPage(selector, problem, List.of(), List.of(), 0);
  }

  private static String label(HostState state) {
    return state.name().replaceFirst("^HOST_STATE_", "").toLowerCase(Locale.ROOT);
  }

  private static String path(Path path) {
    String hops =
        path.getHopsList().stream()
            .filter(hop -> hop.getRole() == Role.ROLE_PROXY || hop.getRole() == Role.ROLE_RELAY)
            .map(HostsPage::name)
            .collect(Collectors.joining(" → "));
    return switch (path.getKind()) {
      case DIRECT -> "direct";
      case PROXY -> ("proxy " + hops).strip();
      case RELAY -> ("relay " + hops).strip();
      case PROXY_AND_RELAY -> ("proxy, relay " + hops).strip();
      case KIND_UNSPECIFIED, UNRECOGNIZED -> "–";
    };
  }

  private static String name(PathHop hop) {
    return hop.getName().isEmpty() ? hop.getId() : hop.getName();
  }

  private static String ago(long ms, Instant now) {
    if (ms == 0) {
      return "never";
    }
    Duration age = Duration.between(Instant.ofEpochMilli(ms), now);
    if (age.toSeconds() < 2) {
      return "now";
    }
    if (age.toMinutes() < 2) {
      return age.toSeconds() + " s ago";
    }
    if (age.toHours() < 2) {
      return age.toMinutes() + " min ago";
    }
    return age.toDays() < 2 ? age.toHours() + " h ago" : age.toDays() + " days ago";
  }
}
