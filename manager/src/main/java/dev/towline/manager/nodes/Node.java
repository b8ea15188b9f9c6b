package dev.towline.manager.nodes;

import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.Path;
import dev.towline.runtime.identity.Role;
import java.util.List;

/**
 * A member of the fleet: a host with its agent, a proxy or a relay. Times are milliseconds since
 * 1970, 0 when it never happened.
 *
 * @param id last part of its identity
 * @param proxyCluster of an agent: the cluster its install command named; of a proxy: the one it
 *     belongs to; empty when none
 * @param token the enrollment token it came with
 * @param facts what it says about itself; claims, never used for authorisation
 * @param quarantine why it gets no directives; empty when it does
 * @param generation of its newest session; 0 before the first
 * @param path of its newest session
 * @param policy name of the one that its install command gave it
 * @param note why it may never come back by itself; empty when it may
 */
public record Node(
    String id,
    Role role,
    String name,
    String group,
    String region,
    String serviceProvider,
    List<String> tags,
    String proxyCluster,
    String token,
    HostFacts facts,
    long enrolledMs,
    long certificateExpiresMs,
    long revokedMs,
    String quarantine,
    Presence presence,
    long lastSeenMs,
    long generation,
    Path path,
    String tlsProtocol,
    String tlsCipherSuite,
    String policy,
    String note) {
  /** The note of a host that was told to leave its cluster and has no other way. */
  public static final String NO_ROUTE = "disconnected, no route";

  public Node {
    tags = List.copyOf(tags);
  }

  public HostState state() {
    if (revokedMs > 0) {
      return presence == Presence.UNINSTALLED
          ? HostState.HOST_STATE_UNINSTALLED
          : HostState.HOST_STATE_REVOKED;
    }
    if (!quarantine.isEmpty()) {
      return HostState.HOST_STATE_QUARANTINED;
    }
    return switch (presence) {
      case NEW -> HostState.HOST_STATE_ENROLLED;
      case ONLINE -> HostState.HOST_STATE_ONLINE;
      case OFFLINE -> HostState.HOST_STATE_OFFLINE;
      case STOPPED -> HostState.HOST_STATE_STOPPED;
      case UNINSTALLED -> HostState.HOST_STATE_UNINSTALLED;
      case WAITING -> HostState.HOST_STATE_WAITING;
      case SHUT_DOWN -> HostState.HOST_STATE_SHUT_DOWN;
    };
  }
}
