package dev.towline.manager.session;

import dev.towline.manager.directives.Delivery;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.nodes.LiveNodes;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.proxies.ProxyReports;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.PathHop;
import dev.towline.proto.v1.Role;
import dev.towline.proto.v1.TunnelReport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The sessions that this manager holds now, and how they reach it. Safe for use by several threads;
 * never blocks.
 */
public final class SessionRegistry implements LiveNodes, Delivery {
  private final Map<String, NodeSession> live = new ConcurrentHashMap<>();
  private final Map<String, String> names = new ConcurrentHashMap<>();
  private final Map<String, SessionStore.Seen> seen = new ConcurrentHashMap<>();
  private final Map<String, NodeSession> quarantined = new ConcurrentHashMap<>();
  private final Tunnels tunnels = new Tunnels();
  private final ProxyReports proxyReports = new ProxyReports();

  /**
   * Makes a session its node's live one, unless a newer one is.
   *
   * @return the session that is no longer the live one: an older one, or this one
   */
  Optional<NodeSession> register(NodeSession session, String name) {
    names.put(session.node(), name);
    NodeSession[] displaced = new NodeSession[1];
    live.compute(
        session.node(),
        (_, old) -> {
          if (old == null) {
            return session;
          }
          boolean newer = old.generation() < session.generation();
          displaced[0] = newer ? old : session;
          return newer ? session : old;
        });
    return Optional.ofNullable(displaced[0]);
  }

  void unregister(NodeSession session) {
    live.remove(session.node(), session);
    quarantined.remove(session.node(), session);
  }

  void quarantine(NodeSession session) {
    quarantined.put(session.node(), session);
  }

  Optional<NodeSession> quarantined(String node) {
    return Optional.ofNullable(quarantined.get(node));
  }

  /** Sessions on whose way this proxy or relay lies. */
  List<NodeSession> through(String hop) {
    return live.values().stream()
        .filter(session ->
            path(session.peer()).getHopsList().stream().anyMatch(h -> h.getId().equals(hop)))
        .toList();
  }

  Optional<NodeSession> session(String node) {
    return Optional.ofNullable(live.get(node));
  }

  Collection<NodeSession> all() {
    return List.copyOf(live.values());
  }

  /** How many sessions this manager holds. */
  public int count() {
    return live.size();
  }

  /** A sign of life, for the next batch. */
  void seen(String node, long generation, long nowMs) {
    seen.put(node, new SessionStore.Seen(node, generation, nowMs));
  }

  /** Takes out the signs of life since the last call. */
  List<SessionStore.Seen> takeSeen() {
    List<SessionStore.Seen> taken = new ArrayList<>();
    for (String node : List.copyOf(seen.keySet())) {
      SessionStore.@Nullable Seen sign = seen.remove(node);
      if (sign != null) {
        taken.add(sign);
      }
    }
    return taken;
  }

  void tunnel(String relay, TunnelReport report) {
    tunnels.report(relay, report);
  }

  void forgetTunnels(String relay) {
    tunnels.forget(relay);
  }

  @Override
  public boolean isLive(String node) {
    return live.containsKey(node);
  }

  @Override
  public void queued(Collection<QueuedDirective> directives) {
    if (directives.size() == 1) {
      QueuedDirective only = directives.iterator().next();
      session(only.target()).ifPresent(session -> session.deliver(List.of(only)));
      return;
    }
    directives.stream()
        .collect(Collectors.groupingBy(QueuedDirective::target))
        .forEach((target, own) -> session(target).ifPresent(session -> session.deliver(own)));
  }

  @Override
  public int clientsOf(String proxy) {
    return (int)
        live.values().stream().filter(session -> session.peer().proxy().equals(proxy)).count();
  }

  @Override
  public ProxyReports proxyReports() {
    return proxyReports;
  }

  /** Where a connection really comes from: what relays reported of it, else what is seen here. */
  public String sourceOf(String hostPort) {
    return tunnels.find(hostPort).map(TunnelReport::getSourceAddress).orElse(hostPort);
  }

  /**
   * As {@link #sourceOf}; of a connection from where a relay is in session, a report that has not
   * come yet is waited for. Blocks.
   */
  public String sourceOf(String hostPort, Duration limit) throws InterruptedException {
    boolean mayBeTunnelled =
        live.values().stream()
            .map(NodeSession::peer)
            .anyMatch(peer ->
                peer.identity().role() == dev.towline.runtime.identity.Role.RELAY
                    && host(peer.source()).equals(host(hostPort)));
    return mayBeTunnelled
        ? tunnels.await(hostPort, limit).map(TunnelReport::getSourceAddress).orElse(hostPort)
        : sourceOf(hostPort);
  }

  private static String host(String hostPort) {
    return hostPort.substring(0, Math.max(0, hostPort.lastIndexOf(':')));
  }

  @Override
  public Path path(Node node) {
    return session(node.id()).map(session -> path(session.peer())).orElse(node.path());
  }

  /** How a session of this peer reaches the manager, as far as is known now. */
  Path path(SessionPeer peer) {
    Path.Builder path = Path.newBuilder().setSourceAddress(peer.source());
    boolean viaProxy = !peer.proxy().isEmpty();
    if (viaProxy) {
      path.addHops(hop(Role.ROLE_PROXY, peer.proxy())).setSourceAddress(peer.proxySource());
    }
    Optional<TunnelReport> tunnel = tunnels.find(peer.source());
    if (tunnel.isPresent()) {
      tunnel.get().getHopsList().forEach(relay -> path.addHops(hop(Role.ROLE_RELAY, relay)));
      if (!viaProxy) {
        path.setSourceAddress(tunnel.get().getSourceAddress());
      }
    }
    boolean viaRelay = tunnel.isPresent();
    return path.setKind(
            viaProxy
                ? viaRelay ? Path.Kind.PROXY_AND_RELAY : Path.Kind.PROXY
                : viaRelay ? Path.Kind.RELAY : Path.Kind.DIRECT)
        .build();
  }

  private PathHop hop(Role role, String id) {
    return PathHop.newBuilder().setRole(role).setId(id).setName(names.getOrDefault(id, id)).build();
  }
}
