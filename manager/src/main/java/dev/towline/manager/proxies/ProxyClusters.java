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
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.Path;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** Proxy clusters and the proxies in them. Safe for use by several threads. */
public final class ProxyClusters {
  public static final ErrorCode CLUSTER_NOT_FOUND = ErrorCode.user("PROXY_CLUSTER_NOT_FOUND");
  public static final ErrorCode CLUSTER_EXISTS = ErrorCode.user("PROXY_CLUSTER_EXISTS");
  public static final ErrorCode CLUSTER_INVALID = ErrorCode.user("PROXY_CLUSTER_INVALID");
  public static final ErrorCode CLUSTER_NOT_EMPTY = ErrorCode.user("PROXY_CLUSTER_NOT_EMPTY");
  public static final ErrorCode CLUSTER_FULL = ErrorCode.user("PROXY_CLUSTER_FULL");
  public static final ErrorCode PROXY_NOT_FOUND = ErrorCode.user("PROXY_NOT_FOUND");
  public static final ErrorCode PROXY_AMBIGUOUS = ErrorCode.user("PROXY_AMBIGUOUS");
  public static final ErrorCode PROXY_ONLINE = ErrorCode.user("PROXY_ONLINE");

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
  private static final Pattern ADDRESS = Pattern.compile("[A-Za-z0-9._:-]{1,253}");
  private static final Pattern IP = Pattern.compile("[0-9.]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*");
  private static final int USUAL_PORT = 443;
  private static final int USUAL_HTTP_PORT = 8080;

  private final Store store;
  private final LiveNodes live;
  private final ClusterAddresses addresses;
  private final InstantSource clock;

  public ProxyClusters(
      Store store, LiveNodes live, ClusterAddresses addresses, InstantSource clock) {
    this.addresses = addresses;
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
    return store.read(tx -> tx.proxyClusters().list().stream().map(c -> view(tx, c)).toList());
  }

  public View view(String name) {
    return store.read(tx -> view(tx, cluster(tx, name)));
  }

  private View view(Tx tx, ProxyCluster cluster) {
    List<Node> members = members(tx, cluster.name());
    return new View(
        cluster,
        members.size(),
        (int) members.stream().filter(node -> node.presence() == Presence.ONLINE).count(),
        members.stream().mapToInt(node -> live.clientsOf(node.id())).sum(),
        clients(tx, cluster.name()));
  }

  private static int clients(Tx tx, String cluster) {
    return tx.nodes()
        .count(Role.AGENT, new Selector(List.of(new Condition(Field.CLUSTER, cluster))));
  }

  /** Where the cluster's address leads now; asks the name service. */
  public ClusterAddresses.Resolution resolve(String name) {
    ProxyCluster cluster = cluster(name);
    List<Node> members = store.read(tx -> members(tx, name));
    return addresses.resolve(cluster, members);
  }

  /**
   * @param cluster empty for all
   */
  public List<Member> proxies(String cluster) {
    return store.read(tx -> {
      if (!cluster.isEmpty()) {
        cluster(tx, cluster);
      }
      return members(tx, cluster).stream().map(node -> member(tx, node)).toList();
    });
  }

  /** A proxy by id, or by name when only one has it. */
  public Member proxy(String idOrName) {
    return store.read(tx -> {
      List<Node> found =
          members(tx, "").stream()
              .filter(node -> node.id().equals(idOrName) || node.name().equals(idOrName))
              .toList();
      if (found.size() > 1) {
        throw new TowlineException(
            PROXY_AMBIGUOUS,
            "proxy name: " + idOrName + " (" + found.size() + " proxies have it)",
            "use the id of one of them, see towline proxies list");
      }
      return found.stream()
          .findFirst()
          .map(node -> member(tx, node))
          .orElseThrow(() ->
              new TowlineException(
                  PROXY_NOT_FOUND,
                  "proxy: " + idOrName + " is neither the id nor the name of a proxy",
                  "see towline proxies list"));
    });
  }

  private Member member(Tx tx, Node node) {
    Optional<Node> agent =
        tx.nodes().named(Role.AGENT, node.facts().getHostName()).stream()
            .filter(host -> host.revokedMs() == 0 && sameMachine(host.facts(), node.facts()))
            .findFirst();
    return new Member(
        node, live.clientsOf(node.id()), live.path(node), agent, live.proxyReports().of(node.id()));
  }

  private static boolean sameMachine(HostFacts one, HostFacts other) {
    return one.getMachineId().equals(other.getMachineId())
        && (!one.getMachineId().isEmpty() || one.getBootId().equals(other.getBootId()));
  }

  /** Whether an IP address has its proxy already; used where a proxy enrolls (P2). */
  public static boolean isFull(Tx tx, String name) {
    return tx.proxyClusters()
        .find(name)
        .map(cluster -> IP.matcher(cluster.address()).matches() && !members(tx, name).isEmpty())
        .orElse(true);
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

  /** Only what is empty; says what comes first (P12). */
  public void delete(String name) {
    store.commit(tx -> {
      ProxyCluster cluster = cluster(tx, name);
      int hosts = clients(tx, name);
      if (hosts > 0) {
        throw new TowlineException(
            CLUSTER_NOT_EMPTY,
            "proxy cluster " + name + " has " + hosts + " clients",
            "disconnect them first: towline proxies disconnect " + name);
      }
      List<Node> members = members(tx, name);
      if (!members.isEmpty()) {
        Node first = members.getFirst();
        String step = first.presence() == Presence.ONLINE ? "stop" : "delete";
        throw new TowlineException(
            CLUSTER_NOT_EMPTY,
            "proxy cluster " + name + " has " + members.size() + " proxies",
            step + " them first: towline proxies " + step + " " + first.name());
      }
      tx.tokens().revokeOfCluster(name, clock.millis());
      tx.proxyClusters().delete(name);
      return cluster;
    });
  }

  /** Refuses to delete a proxy before its time; gives it otherwise. */
  public Node checkDeletable(String idOrName) {
    Member proxy = proxy(idOrName);
    Node node = proxy.node();
    if (proxy.online()) {
      throw new TowlineException(
          PROXY_ONLINE,
          "proxy " + node.name() + " is online",
          "stop it first: towline proxies stop " + node.name());
    }
    View cluster = view(node.proxyCluster());
    if (cluster.clients() > 0 && cluster.proxies() == 1) {
      throw new TowlineException(
          CLUSTER_NOT_EMPTY,
          "proxy "
              + node.name()
              + " is the last one of cluster "
              + node.proxyCluster()
              + ", which has "
              + cluster.clients()
              + " clients",
          "disconnect them first: towline proxies disconnect " + node.proxyCluster());
    }
    return node;
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

  /**
   * A cluster and what is connected to it now.
   *
   * @param connectedClients hosts in session through it
   * @param clients hosts that are, or were last, connected through it
   */
  public record View(
      ProxyCluster cluster, int proxies, int proxiesOnline, int connectedClients, int clients) {
    public boolean online() {
      return proxiesOnline > 0;
    }
  }

  /**
   * A proxy as it is now.
   *
   * @param clients hosts that it carries
   * @param agent the agent on the same host
   * @param report empty when it said nothing since the manager started
   */
  public record Member(
      Node node,
      int clients,
      Path path,
      Optional<Node> agent,
      Optional<ProxyReports.Reported> report) {
    public boolean online() {
      return node.presence() == Presence.ONLINE;
    }

    public boolean draining() {
      return online() && report.map(ProxyReports.Reported::draining).orElse(false);
    }

    /** Whether it takes agents. */
    public boolean carries() {
      return online() && !draining();
    }
  }
}
