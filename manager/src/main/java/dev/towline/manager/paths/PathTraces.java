package dev.towline.manager.paths;

import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.relays.RelayReports;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.PathHop;
import dev.towline.proto.v1.RelayLink;
import dev.towline.proto.v1.Role;
import dev.towline.proto.v1.TraceHop;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Traces a host's path (G7): every hop that has a session of its own is asked to answer at once,
 * all at the same time. Safe for use by several threads; blocks for as long as the slowest answer,
 * bounded.
 */
public final class PathTraces {
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final Hosts hosts;
  private final Sessions sessions;
  private final RelayReports reports;
  private final String manager;

  /**
   * @param manager id of this manager
   */
  public PathTraces(Hosts hosts, Sessions sessions, RelayReports reports, String manager) {
    this.hosts = hosts;
    this.sessions = sessions;
    this.reports = reports;
    this.manager = manager;
  }

  private record Asked(TraceHop.Builder hop, CompletableFuture<Duration> answer) {}

  /** Host first, manager last. */
  public List<TraceHop> trace(Node host) {
    List<Asked> asked = new ArrayList<>();
    asked.add(ask(host.role().toProto(), host.id(), host.name(), Optional.of(host)));
    for (PathHop hop : host.path().getHopsList()) {
      asked.add(ask(hop.getRole(), hop.getId(), hop.getName(), hosts.node(hop.getId())));
    }
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    asked.forEach(each -> await(each, deadline));
    List<TraceHop> hops = new ArrayList<>();
    for (int i = 0; i < asked.size(); i++) {
      TraceHop.Builder hop = asked.get(i).hop();
      leg(hop, i + 1 < asked.size() ? asked.get(i + 1).hop() : null);
      hops.add(hop.build());
    }
    hops.add(
        TraceHop.newBuilder().setRole(Role.ROLE_MANAGER).setId(manager).setName("manager").build());
    return hops;
  }

  private Asked ask(Role role, String id, String name, Optional<Node> known) {
    return new Asked(
        TraceHop.newBuilder()
            .setRole(role)
            .setId(id)
            .setName(name)
            .setAddress(known.map(node -> node.path().getSourceAddress()).orElse(""))
            .setTls(
                known
                    .map(node -> (node.tlsProtocol() + " " + node.tlsCipherSuite()).strip())
                    .orElse("")),
        sessions.probe(id));
  }

  private static void await(Asked asked, long deadline) {
    try {
      Duration roundTrip =
          asked.answer().get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
      asked.hop().setRoundTripUs(Math.max(1, roundTrip.toNanos() / 1000));
    } catch (TimeoutException e) {
      asked.hop().setProblem("no answer within " + PATIENCE.toSeconds() + " s");
    } catch (ExecutionException e) {
      Throwable cause = e.getCause();
      asked.hop().setProblem(cause == null ? "no answer" : String.valueOf(cause.getMessage()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      asked.hop().setProblem("interrupted");
    }
  }

  private void leg(TraceHop.Builder hop, TraceHop.@Nullable Builder next) {
    if (next == null) {
      hop.setLegUs(hop.getRoundTripUs()).setLegMeasured(hop.getRoundTripUs() > 0);
      return;
    }
    OptionalLong measured = persistent(hop.getId(), next.getId());
    if (measured.isPresent()) {
      hop.setLegUs(measured.getAsLong()).setLegMeasured(true);
    } else if (hop.getRoundTripUs() > 0 && next.getRoundTripUs() > 0) {
      hop.setLegUs(Math.max(0, hop.getRoundTripUs() - next.getRoundTripUs()));
    }
  }

  /** Of the best persistent connection between a child and its parent. */
  private OptionalLong persistent(String child, String parent) {
    return reports.of(parent).stream()
        .flatMap(reported -> reported.report().getLinksList().stream())
        .filter(link -> !link.getToParent() && link.getPeer().equals(child))
        .mapToLong(RelayLink::getRoundTripUs)
        .filter(micros -> micros > 0)
        .min();
  }
}
