package dev.towline.manager.session;

import dev.towline.manager.nodes.Presence;
import dev.towline.proto.v1.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * What outlives a session. Every write names the generation of the session it is made for and does
 * nothing once a newer one has begun, so that a manager that was paused can't act. Part of a
 * transaction.
 */
public interface SessionStore {
  Optional<NodeState> find(String node);

  /** Begins a session: the node is online, the generation one higher. */
  long open(Opening opening);

  /** Whether this is still the node's newest session. */
  boolean isCurrent(String node, long generation);

  /** The node was enrolled anew: what it said of its generation before does not count. */
  void forgetGeneration(String node);

  /** The node showed that it knows its generation. */
  boolean confirm(String node, long generation);

  /** Latest signs of life of many nodes at once. */
  void seen(Collection<Seen> signs);

  boolean end(String node, long generation, Presence presence, long nowMs);

  /** The receiver accepted directives up to this one; earlier ones count as accepted too. */
  boolean accepted(String node, long generation, long sequence);

  void path(String node, long generation, Path path);

  /** Sessions of this manager that were last heard before this time are over. Gives their nodes. */
  List<String> endSilent(String manager, long beforeMs);

  /**
   * @param generation of the newest session
   * @param confirmedGeneration highest one that the node itself has shown to know
   * @param bootId of the newest session
   * @param lastAccepted highest directive that the node is known to have accepted
   * @param lastDelivered highest directive that may have reached it
   * @param lastQueued highest directive that there is for it
   */
  record NodeState(
      long generation,
      long confirmedGeneration,
      String bootId,
      long epoch,
      long lastAccepted,
      long lastDelivered,
      long lastQueued) {}

  /** */
  record Opening(
      String node,
      String manager,
      String bootId,
      long epoch,
      long lastAccepted,
      long confirmedGeneration,
      Path path,
      String tlsProtocol,
      String tlsCipherSuite,
      long nowMs) {}

  /** */
  record Seen(String node, long generation, long timeMs) {}
}
