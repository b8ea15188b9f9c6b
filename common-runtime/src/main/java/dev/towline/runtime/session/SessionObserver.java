package dev.towline.runtime.session;

import dev.towline.proto.v1.RevocationList;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.tls.ServerAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;

/** Hears how a node's session fares. Called on the session's thread; must return at once. */
public interface SessionObserver {
  /**
   * A session.
   *
   * @param peer what was dialled: the manager itself, or a proxy
   * @param server what was dialled, as it was configured
   * @param address the one behind it that answered
   * @param managerTime the manager's clock at the Welcome
   */
  record Established(
      long generation,
      NodeIdentity manager,
      NodeIdentity peer,
      ServerAddress server,
      ServerAddress address,
      Instant managerTime) {}

  /** A session is up, with this as its newest connection. */
  default void online(Established session) {}

  /** A heartbeat went there and back. */
  default void heartbeatAnswered(Instant managerTime) {}

  /** A contact of the short-lived form went well; the next one begins by itself (D3). */
  default void waiting(Duration untilNext) {}

  /** Names of servers that can't be looked up now, each with the resolver's answer (D5). */
  default void unresolved(Map<ServerAddress, String> names) {}

  /** No session is up. */
  default void offline(String why) {}

  /** Another list of what is revoked; already checked and stored. */
  default void revocations(RevocationList list) {}

  /** A new certificate is in use. */
  default void renewed(IssuedIdentity identity) {}

  /**
   * The manager takes this node for a clone that shall be one of its own: with this token, in place
   * of the identity that it has.
   */
  default void enrollAnew(String tokenId, byte[] secret) {}

  /** The session can't go on for good, for instance because its journal can't be written. */
  default void failed(Throwable cause) {}
}
