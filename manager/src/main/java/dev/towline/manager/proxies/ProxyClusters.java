package dev.towline.manager.proxies;

import dev.towline.manager.nodes.LiveNodes;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.NodeQuery;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.nodes.Selector.Condition;
import dev.towline.manager.nodes.Selector.Field;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import java.time.InstantSource;
import java.util.List;
import java.util.regex.Pattern;

/** Proxy clusters and the proxies in them. Safe for use by several threads. */
public final class ProxyClusters {
  public static final ErrorCode CLUSTER_NOT_FOUND = ErrorCode.user("PROXY_CLUSTER_NOT_FOUND");
  public static final ErrorCode CLUSTER_EXISTS = ErrorCode.user("PROXY_CLUSTER_EXISTS");
  public static final ErrorCode CLUSTER_INVALID = ErrorCode.user("PROXY_CLUSTER_INVALID");
  public static final ErrorCode CLUSTER_NOT_EMPTY = ErrorCode.user("PROXY_CLUSTER_NOT_EMPTY");
  public static final ErrorCode CLUSTER_FULL = ErrorCode.user("PROXY_CLUSTER_FULL");

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
  private static final Pattern ADDRESS = Pattern.compile("[A-Za-z0-9._:-]{1,253}");
  private static final Pattern IP = Pattern.compile("[0-9.]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*");
  private static final int USUAL_PORT = 443;
  private static final int USUAL_HTTP_PORT = 8080;

  private final Store store;
  private final LiveNodes live;
  private final InstantSource clock;

  public ProxyClusters(Store store, LiveNodes live, InstantSource clock) {
    this.store = store;
    this.live = live;
    this.clock = clock;
  }

  /**
   * @param port 0 for 443
   * @param httpPort 0 for 8080
   */
  public ProxyCluster create(
      String name, String address, String description, int port, int httpPort) {
    if (!NAME.matcher(name).matches()) {
      throw invalid("cluster name: '" + name + "' (expected: letters, digits, '.', '_' and '-')");
    }
    if (!ADDRESS.matcher(address).matches()) {
      throw invalid("cluster address: '" + address + "' (expected: IP address or domain name)");
    }
    ProxyCluster cluster =
        new ProxyCluster(
            name,
            address,
            description,
            checkedPort(port, USUAL_PORT),
            checkedPort(httpPort, USUAL_HTTP_PORT),
            clock.millis());
    return store.commit(tx -> {
      if (tx.proxyClusters().find(name).isPresent()) {
        throw new TowlineException(
            CLUSTER_EXISTS,
            "proxy cluster: " + name + " exists already",
            "choose another name; name and address of a cluster can't change");
      }
      tx.proxyClusters().create(cluster);
      return cluster;
    });
  }

  public ProxyCluster cluster(String name) {
    return store.read(tx -> cluster(tx, name));
  }

  /** In order of name, with what is connected now. */
  public List<View> list() {
    return store.read(tx ->
        tx.proxyClusters().list().stream()
            .map(cluster -> {
              List<Node> members = members(tx, cluster.name());
              return new View(
                  cluster,
                  members.size(),
                  members.stream().mapToInt(node -> live.clientsOf(node.id())).sum(),
                  members.stream().anyMatch(n -> n.presence() == Presence.ONLINE));
            })
            .toList());
  }

  /**
   * @param cluster empty for all
   */
  public List<Member> proxies(String cluster) {
    return store.read(tx -> {
      if (!cluster.isEmpty()) {
        cluster(tx, cluster);
      }
      return members(tx, cluster).stream()
          .map(node -> new Member(node, live.clientsOf(node.id())))
          .toList();
    });
  }

  /** Refuses where one more proxy does not fit: under an IP address there is one (P2). */
  public ProxyCluster checkRoom(String name) {
    return store.read(tx -> {
      ProxyCluster cluster = cluster(tx, name);
      if (IP.matcher(cluster.address()).matches() && !members(tx, name).isEmpty()) {
        throw new TowlineException(
            CLUSTER_FULL,
            "proxy cluster "
                + name
                + " has the IP address "
                + cluster.address()
                + " and a proxy already (expected: at most one)",
            "create a cluster with a domain name for several proxies");
      }
      return cluster;
    });
  }

  public void delete(String name) {
    store.commit(tx -> {
      ProxyCluster cluster = cluster(tx, name);
      int proxies = members(tx, name).size();
      int hosts =
          tx.nodes().count(Role.AGENT, new Selector(List.of(new Condition(Field.CLUSTER, name))));
      if (proxies + hosts > 0) {
        throw new TowlineException(
            CLUSTER_NOT_EMPTY,
            "proxy cluster " + name + " has " + proxies + " proxies and " + hosts + " hosts",
            "disconnect its hosts first, then delete its proxies");
      }
      tx.proxyClusters().delete(name);
      return cluster;
    });
  }

  private static List<Node> members(Tx tx, String cluster) {
    Selector selector =
        cluster.isEmpty()
            ? Selector.ALL
            : new Selector(List.of(new Condition(Field.CLUSTER, cluster)));
    return tx.nodes().list(NodeQuery.all(Role.PROXY, selector)).stream()
        .filter(node -> node.revokedMs() == 0)
        .toList();
  }

  private static ProxyCluster cluster(Tx tx, String name) {
    return tx.proxyClusters()
        .find(name)
        .orElseThrow(() ->
            new TowlineException(
                CLUSTER_NOT_FOUND,
                "proxy cluster: " + name + " does not exist",
                "see towline proxies list-clusters"));
  }

  private static int checkedPort(int port, int usual) {
    if (port < 0 || port > 65535) {
      throw invalid("port: " + port + " (expected: 1 to 65535)");
    }
    return port == 0 ? usual : port;
  }

  private static TowlineException invalid(String message) {
    return new TowlineException(CLUSTER_INVALID, message, "correct it and try again");
  }

  /** A cluster and what is connected to it now. */
  public record View(ProxyCluster cluster, int proxies, int connectedClients, boolean online) {}

  /** A proxy and how many hosts it carries now. */
  public record Member(Node node, int clients) {}
}
