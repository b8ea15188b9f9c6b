package dev.towline.manager.proxies;

import dev.towline.manager.actions.Actions;
import dev.towline.manager.nodes.Node;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ControlProxy;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/** Drains and stops proxies (P12). Safe for use by several threads. */
public final class ProxyOrders {
  public static final ErrorCode PROXY_OFFLINE = ErrorCode.user("PROXY_OFFLINE");
  public static final ErrorCode CLIENTS_CONNECTED = ErrorCode.user("PROXY_CLIENTS_CONNECTED");

  private static final Duration TAKE_UP = Duration.ofMinutes(2);
  private static final Duration USUAL_LIMIT = Duration.ofSeconds(60);
  private static final Duration FORCED_LIMIT = Duration.ofSeconds(5);

  private final ProxyClusters clusters;
  private final Actions actions;

  public ProxyOrders(ProxyClusters clusters, Actions actions) {
    this.clusters = clusters;
    this.actions = actions;
  }

  /** Its agents move to the cluster's other proxies; it goes on, and new ones are sent away too. */
  public Action drain(String idOrName, Duration limit, String by) {
    ProxyClusters.Member proxy = clusters.proxy(idOrName);
    checkOnline(proxy);
    checkOthers(proxy, "drain");
    return tell(
        proxy.node(),
        "drain proxy " + proxy.node().name(),
        ControlProxy.newBuilder()
            .setOrder(ControlProxy.Order.DRAIN)
            .setTimeLimitMs((limit.isZero() ? USUAL_LIMIT : limit).toMillis()),
        by);
  }

  public Action resume(String idOrName, String by) {
    ProxyClusters.Member proxy = clusters.proxy(idOrName);
    checkOnline(proxy);
    return tell(
        proxy.node(),
        "resume proxy " + proxy.node().name(),
        ControlProxy.newBuilder().setOrder(ControlProxy.Order.RESUME),
        by);
  }

  /**
   * @param force although agents are left that find no other proxy
   */
  public Action stop(String idOrName, boolean force, String by) {
    ProxyClusters.Member proxy = clusters.proxy(idOrName);
    checkOnline(proxy);
    if (!force) {
      checkOthers(proxy, "stop");
    }
    return tell(
        proxy.node(),
        "stop proxy " + proxy.node().name(),
        ControlProxy.newBuilder()
            .setOrder(ControlProxy.Order.STOP)
            .setTimeLimitMs((force ? FORCED_LIMIT : USUAL_LIMIT).toMillis())
            .setForce(force),
        by);
  }

  /**
   * Every proxy of a cluster that is online.
   *
   * @param force although it has clients
   */
  public List<Action> stopAll(String cluster, boolean force, String by) {
    ProxyClusters.View view = clusters.view(cluster);
    List<ProxyClusters.Member> online =
        clusters.proxies(cluster).stream().filter(ProxyClusters.Member::online).toList();
    int clients = Math.max(view.clients(), view.connectedClients());
    if (clients > 0 && !force) {
      throw new TowlineException(
          CLIENTS_CONNECTED,
          "proxy cluster " + cluster + " has " + clients + " clients",
          "disconnect them first: towline proxies disconnect " + cluster);
    }
    if (online.isEmpty()) {
      throw new TowlineException(
          PROXY_OFFLINE,
          "proxy cluster " + cluster + " has no proxy that is online",
          "delete its proxies, then the cluster: towline proxies delete-cluster " + cluster);
    }
    // None waits for another one to take over its agents.
    return online.stream().map(proxy -> stop(proxy.node().id(), true, by)).toList();
  }

  private static void checkOnline(ProxyClusters.Member proxy) {
    if (!proxy.online()) {
      throw new TowlineException(
          PROXY_OFFLINE,
          "proxy " + proxy.node().name() + " is not online",
          "it is stopped already; take it out of its cluster: towline proxies delete "
              + proxy.node().name());
    }
  }

  /** Somebody has to take over the agents that it carries. */
  private void checkOthers(ProxyClusters.Member proxy, String order) {
    String cluster = proxy.node().proxyCluster();
    boolean others =
        clusters.proxies(cluster).stream()
            .anyMatch(other -> other.carries() && !other.node().id().equals(proxy.node().id()));
    if (proxy.clients() > 0 && !others) {
      throw new TowlineException(
          CLIENTS_CONNECTED,
          "proxy "
              + proxy.node().name()
              + " carries "
              + proxy.clients()
              + " clients and no other proxy of cluster "
              + cluster
              + " is online to take them over",
          "disconnect them first: towline proxies disconnect "
              + cluster
              + "; or add a proxy, then "
              + order
              + " this one");
    }
  }

  private Action tell(Node proxy, String title, ControlProxy.Builder order, String by) {
    return actions
        .order(
            title,
            proxy.name(),
            by,
            TAKE_UP,
            _ -> {
              SequencedMap<String, DirectiveContent> told = new LinkedHashMap<>();
              told.put(proxy.id(), DirectiveContent.newBuilder().setControlProxy(order).build());
              return told;
            })
        .orElseThrow();
  }
}
