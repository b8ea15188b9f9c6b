package dev.towline.manager.nodes;

import dev.towline.manager.store.Store;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/** What operators see of hosts, proxies and relays. Safe for use by several threads. */
public final class Hosts {
  public static final ErrorCode HOST_NOT_FOUND = ErrorCode.user("HOST_NOT_FOUND");
  public static final ErrorCode HOST_AMBIGUOUS = ErrorCode.user("HOST_AMBIGUOUS");
  public static final ErrorCode PAGE_TOKEN_INVALID = ErrorCode.user("PAGE_TOKEN_INVALID");

  private static final int LARGEST_PAGE = 1000;
  private static final int USUAL_PAGE = 200;

  private final Store store;
  private final LiveNodes live;

  public Hosts(Store store, LiveNodes live) {
    this.store = store;
    this.live = live;
  }

  /**
   * @param pageSize 0 for the usual one
   * @param pageToken empty for the first page
   */
  public Page list(String selector, int pageSize, String pageToken) {
    return list(Role.AGENT, Selector.parse(selector), pageSize, pageToken);
  }

  public Page list(Role role, Selector selector, int pageSize, String pageToken) {
    int size = pageSize <= 0 ? USUAL_PAGE : Math.min(pageSize, LARGEST_PAGE);
    String[] after = decode(pageToken);
    return store.read(tx -> {
      List<Node> nodes =
          tx.nodes().list(new NodeQuery(role, selector, after[0], after[1], size + 1));
      boolean more = nodes.size() > size;
      List<Node> page = more ? nodes.subList(0, size) : nodes;
      return new Page(
          page.stream().map(this::withPath).toList(),
          more ? encode(page.getLast()) : "",
          tx.nodes().count(role, selector));
    });
  }

  /** A host by id, or by name when only one host has it. */
  public Node host(String idOrName) {
    return store.read(tx -> {
      Optional<Node> byId = tx.nodes().find(idOrName).filter(node -> node.role() == Role.AGENT);
      if (byId.isPresent()) {
        return withPath(byId.get());
      }
      List<Node> named = tx.nodes().named(Role.AGENT, idOrName);
      if (named.size() > 1) {
        throw new TowlineException(
            HOST_AMBIGUOUS,
            "host name: " + idOrName + " (" + named.size() + " hosts have it)",
            "use the id of one of them, see towline hosts list");
      }
      return named.stream()
          .findFirst()
          .map(this::withPath)
          .orElseThrow(() ->
              new TowlineException(
                  HOST_NOT_FOUND,
                  "host: " + idOrName + " is neither the id nor the name of a host",
                  "see towline hosts list"));
    });
  }

  /** Changes all selected hosts; groups that are named for the first time are created. */
  public int update(Selector selector, HostChange change, long nowMs) {
    change.check();
    return store.commit(tx -> {
      List<Node> selected =
          tx.nodes().list(NodeQuery.all(Role.AGENT, selector)).stream()
              .filter(node -> node.revokedMs() == 0)
              .toList();
      change.group().filter(g -> !g.isEmpty()).ifPresent(g -> tx.groups().ensure(g, nowMs));
      selected.forEach(node -> tx.nodes().place(node.id(), change.of(node)));
      return selected.size();
    });
  }

  /** A host by id or name, or a proxy or relay by id. */
  public Node hostOrNode(String idOrName) {
    return node(idOrName).orElseGet(() -> host(idOrName));
  }

  /** Any node by id. */
  public Optional<Node> node(String id) {
    return store.read(tx -> tx.nodes().find(id)).map(this::withPath);
  }

  private Node withPath(Node node) {
    return new Node(
        node.id(),
        node.role(),
        node.name(),
        node.group(),
        node.region(),
        node.serviceProvider(),
        node.tags(),
        node.proxyCluster(),
        node.token(),
        node.facts(),
        node.enrolledMs(),
        node.certificateExpiresMs(),
        node.revokedMs(),
        node.quarantine(),
        node.presence(),
        node.lastSeenMs(),
        node.generation(),
        live.path(node),
        node.tlsProtocol(),
        node.tlsCipherSuite(),
        node.policy(),
        node.note());
  }

  private static String encode(Node last) {
    String position = last.id() + " " + last.name();
    return Base64.getUrlEncoder()
        .withoutPadding()
        .encodeToString(position.getBytes(StandardCharsets.UTF_8));
  }

  /** Name and id after which the page begins. */
  private static String[] decode(String pageToken) {
    if (pageToken.isEmpty()) {
      return new String[] {"", ""};
    }
    try {
      String position =
          new String(Base64.getUrlDecoder().decode(pageToken), StandardCharsets.UTF_8);
      int space = position.indexOf(' ');
      if (space > 0) {
        return new String[] {position.substring(space + 1), position.substring(0, space)};
      }
    } catch (IllegalArgumentException e) {
      // said below
    }
    throw new TowlineException(
        PAGE_TOKEN_INVALID,
        "page token: " + pageToken + " (expected: one that a list gave)",
        "start the list again without a page token");
  }

  /**
   * @param nextPageToken empty on the last page
   * @param total nodes that match, on all pages
   */
  public record Page(List<Node> nodes, String nextPageToken, int total) {
    public Page {
      nodes = List.copyOf(nodes);
    }
  }
}
