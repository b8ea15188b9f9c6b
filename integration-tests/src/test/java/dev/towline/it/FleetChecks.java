package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.topology.Fleet;
import dev.towline.it.topology.Host;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.PathHop;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/** What holds of every fleet, whatever stands between its hosts and its manager. */
final class FleetChecks {
  private FleetChecks() {}

  /** Each host is there once, online, and its path goes over one of these nodes. */
  static void online(Fleet fleet, List<Host> hosts, String group, Path.Kind path, String... hops) {
    var known = fleet.hosts();
    assertThat(known.keySet())
        .containsExactlyInAnyOrderElementsOf(hosts.stream().map(Host::name).toList());
    assertThat(known.values())
        .allSatisfy(host -> {
          assertThat(host.getState()).isEqualTo(HostState.HOST_STATE_ONLINE);
          assertThat(host.getGroup()).isEqualTo(group);
          assertThat(host.getPath().getKind()).isEqualTo(path);
          if (hops.length > 0) {
            assertThat(host.getPath().getHopsList())
                .extracting(PathHop::getName)
                .containsAnyOf(hops);
          }
          assertThat(host.getTlsProtocol()).isEqualTo("TLSv1.3");
        });
  }

  /** A program runs on each of the hosts, and its output is that host's. */
  static void runsEverywhere(Fleet fleet, List<Host> hosts) {
    runs(fleet, "all", hosts);
  }

  /** The same for a selector, which is of these hosts and no others. */
  static void runs(Fleet fleet, String selector, List<Host> hosts) {
    Action action = fleet.act(selector, "uname", "-a");

    assertThat(action.getEnded()).isTrue();
    var outputs =
        action.getTargetsList().stream()
            .collect(Collectors.toMap(ActionTarget::getHostName, Function.identity()));
    assertThat(outputs).hasSize(hosts.size());
    for (Host host : hosts) {
      ActionTarget target = outputs.get(host.name());
      assertThat(target).as(host.name()).isNotNull();
      assertThat(target.getOutcome())
          .as(host.name() + ": " + target)
          .isEqualTo(Outcome.OUTCOME_SUCCEEDED);
      assertThat(target.getOutput().toStringUtf8()).startsWith("Linux " + host.name() + " ");
    }
  }
}
