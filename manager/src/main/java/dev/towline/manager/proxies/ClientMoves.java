package dev.towline.manager.proxies;

import dev.towline.manager.actions.Actions;
import dev.towline.manager.nodes.LiveNodes;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.NodeQuery;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.nodes.Selector.Condition;
import dev.towline.manager.nodes.Selector.Field;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.Rehome;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * Hosts that are to use a proxy cluster, or to go direct again (P5, P12). Each tries the new way
 * before it leaves the old one, so that none is lost without having been named. Safe for use by
 * several threads.
 */
public final class ClientMoves {
  public static final ErrorCode CLUSTER_OFFLINE = ErrorCode.user("PROXY_CLUSTER_OFFLINE");
  public static final ErrorCode SELECTOR_MISSING = ErrorCode.user("SELECTOR_MISSING");

  private static final int MOVES_PER_SECOND = 250;
  private static final Duration TRIAL = Duration.ofSeconds(30);
  private static final Duration TAKE_UP = Duration.ofMinutes(10);

  private final ProxyClusters clusters;
  private final Actions actions;
  private final LiveNodes live;
  private final List<String> direct;
  private final MoveSchedule schedule;

  /**
   * @param direct host:port where hosts reach this manager without a proxy
   */
  public ClientMoves(
      ProxyClusters clusters,
      Actions actions,
      LiveNodes live,
      List<String> direct,
      InstantSource clock) {
    this.clusters = clusters;
    this.actions = actions;
    this.live = live;
    this.direct = List.copyOf(direct);
    this.schedule = new MoveSchedule(clock, MOVES_PER_SECOND);
  }

  /** A host that was not told, and why. */
  public record Unmoved(Node host, String reason) {}

  /**
   * @param action follows the hosts that were told; empty when there is none
   */
  public record Moved(Optional<Action> action, List<Unmoved> unmoved) {
    public Moved {
      unmoved = List.copyOf(unmoved);
    }
  }

  /** Hosts that are in session move to a cluster. */
  public Moved connect(String name, String selector, String by) {
    if (selector.isBlank()) {
      throw new TowlineException(
          SELECTOR_MISSING,
          "selector: empty (expected: a selector, or all)",
          "say which hosts shall use the cluster, for instance group=web");
    }
    ProxyCluster cluster = clusters.cluster(name);
    if (clusters.proxies(name).stream().noneMatch(ProxyClusters.Member::carries)) {
      throw new TowlineException(
          CLUSTER_OFFLINE,
          "proxy cluster " + name + " has no proxy that is online",
          "add one first: towline proxies deploy "
              + name
              + " --on HOST, or towline proxies command");
    }
    List<String> servers = List.of(hostPort(cluster));
    List<Unmoved> unmoved = new ArrayList<>();
    Optional<Action> action =
        actions.order(
            "connect to proxy cluster " + name,
            selector,
            by,
            TAKE_UP,
            tx -> {
              SequencedMap<String, DirectiveContent> told = new LinkedHashMap<>();
              for (Node host : hosts(tx, Selector.parse(selector))) {
                if (host.proxyCluster().equals(name)) {
                  unmoved.add(new Unmoved(host, "uses the cluster already"));
                } else {
                  tell(host, servers, false, told, unmoved);
                }
              }
              return told;
            });
    return new Moved(action, unmoved);
  }

  /**
   * Clients of a cluster go direct again.
   *
   * @param strand also those that have no direct way, and those that can't be asked
   */
  public Moved disconnect(String name, String selector, boolean strand, String by) {
    clusters.cluster(name);
    List<Condition> conditions = new ArrayList<>(Selector.parse(selector).conditions());
    conditions.add(new Condition(Field.CLUSTER, name));
    List<Unmoved> unmoved = new ArrayList<>();
    Optional<Action> action =
        actions.order(
            "disconnect from proxy cluster " + name,
            selector.isBlank() ? "cluster=" + name : selector,
            by,
            TAKE_UP,
            tx -> {
              SequencedMap<String, DirectiveContent> told = new LinkedHashMap<>();
              for (Node host : hosts(tx, new Selector(conditions))) {
                int before = unmoved.size();
                tell(host, direct, strand, told, unmoved);
                if (strand && unmoved.size() > before) {
                  tx.nodes().route(host.id(), "", Node.NO_ROUTE);
                }
              }
              return told;
            });
    return new Moved(action, unmoved);
  }

  private static List<Node> hosts(Tx tx, Selector selector) {
    return tx.nodes().list(NodeQuery.all(Role.AGENT, selector)).stream()
        .filter(node -> node.revokedMs() == 0)
        .toList();
  }

  private void tell(
      Node host,
      List<String> servers,
      boolean strand,
      SequencedMap<String, DirectiveContent> told,
      List<Unmoved> unmoved) {
    if (!host.quarantine().isEmpty()) {
      unmoved.add(new Unmoved(host, "is in quarantine"));
    } else if (!live.isLive(host.id())) {
      unmoved.add(new Unmoved(host, "is not online, so it can't try"));
    } else {
      told.put(
          host.id(),
          DirectiveContent.newBuilder()
              .setRehome(
                  Rehome.newBuilder()
                      .addAllServers(servers)
                      .setStartAfterMs(schedule.next().toMillis())
                      .setTimeLimitMs(TRIAL.toMillis())
                      .setStrand(strand))
              .build());
    }
  }

  private static String hostPort(ProxyCluster cluster) {
    return (cluster.address().contains(":") ? "[" + cluster.address() + "]" : cluster.address())
        + ":"
        + cluster.port();
  }
}
