package dev.towline.manager.session;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.events.Events;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.policies.Policies;
import dev.towline.manager.relays.Relays;
import dev.towline.manager.sending.SendingPolicies;
import dev.towline.manager.session.SessionStore.NodeState;
import dev.towline.manager.session.SessionStore.Opening;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.Path;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.Role;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * What a Hello leads to. Compares what the node says with what is stored, in one transaction: a
 * clone is kept apart, a state that went back is never made to act again on what it may have acted
 * on, everybody else gets a generation and what waits for it.
 */
final class SessionOpening {
  /** How many directives a receiver is sent ahead of its receipts. */
  static final int WINDOW = 256;

  private static final int FINGERPRINT = 32;
  private static final int MOST_ROOTS = 16;

  private final Relays relays;
  private final SendingPolicies sending;
  private final Policies policies;
  private final Events events;
  private final String manager;

  SessionOpening(
      Relays relays, SendingPolicies sending, Policies policies, Events events, String manager) {
    this.policies = policies;
    this.relays = relays;
    this.sending = sending;
    this.events = events;
    this.manager = manager;
  }

  sealed interface Outcome {
    /**
     * @param acceptedBefore what this session begins after
     * @param interrupted ids of directives that were ended because the state went back
     */
    record Opened(
        Node node,
        long generation,
        boolean rolledBack,
        long acceptedBefore,
        long epoch,
        List<QueuedDirective> waiting,
        List<String> interrupted)
        implements Outcome {}

    /**
     * @param proven whether it can only be a clone; otherwise it may be a host that restarted
     *     faster than its earlier session was found dead
     */
    record Quarantined(Node node, String reason, boolean proven) implements Outcome {}

    record Refused(String code, String message, String remedy) implements Outcome {}
  }

  /**
   * @param otherBoot boot id of the node's live session; empty when it has none
   */
  Outcome open(
      Tx tx, SessionPeer peer, Hello hello, Optional<String> otherBoot, Path path, long nowMs) {
    String id = peer.identity().id();
    Optional<Node> found = tx.nodes().find(id);
    Optional<NodeState> stored = tx.sessions().find(id);
    if (found.isEmpty() || stored.isEmpty() || found.get().role() != peer.identity().role()) {
      return new Outcome.Refused(
          "NODE_UNKNOWN",
          peer.identity() + " is not a member of this fleet any more",
          "run an install command on the host");
    }
    Node node = found.get();
    if (node.revokedMs() > 0) {
      return new Outcome.Refused(
          "CERTIFICATE_REVOKED",
          peer.identity() + " was revoked",
          "run an install command on the host if it shall come back");
    }
    NodeState state = stored.get();
    String boot = hello.getFacts().getBootId();
    boolean wentBack = hello.getLastGeneration() < state.confirmedGeneration();
    Optional<Outcome> clone = clone(tx, node, state, boot, wentBack, otherBoot, hello);
    if (clone.isPresent()) {
      return clone.get();
    }
    boolean rolledBack =
        wentBack
            || hello.getLastAcceptedDirective() < state.lastAccepted()
            || hello.getEpoch() < state.epoch();
    long accepted = hello.getLastAcceptedDirective();
    long epoch = hello.getEpoch();
    List<String> interrupted = List.of();
    if (rolledBack) {
      accepted = Math.max(accepted, Math.max(state.lastAccepted(), state.lastDelivered()));
      epoch = Math.max(epoch, state.epoch()) + 1;
      interrupted =
          tx
              .directives()
              .interrupt(id, accepted, "the state of the host went back to an earlier one", nowMs)
              .stream()
              .map(QueuedDirective::id)
              .toList();
    } else if (state.lastDelivered() > 0) {
      tx.directives().accepted(id, accepted);
    }
    long generation =
        tx.sessions()
            .open(
                new Opening(
                    id,
                    manager,
                    boot,
                    epoch,
                    accepted,
                    hello.getLastGeneration(),
                    path,
                    peer.tlsProtocol(),
                    peer.tlsCipherSuite(),
                    nowMs));
    tx.trust()
        .presented(
            id,
            fingerprints(hello.getTrustedRootsList()),
            Fingerprints.of(peer.chain().get(1)),
            nowMs);
    if (!node.facts().equals(hello.getFacts())) {
      tx.nodes().updateFacts(id, hello.getFacts());
    }
    if (node.role() == Role.AGENT) {
      // What it is connected through is what is seen here, whatever it was told or installed with.
      String cluster =
          peer.proxy().isEmpty()
              ? ""
              : tx.nodes().find(peer.proxy()).map(Node::proxyCluster).orElse("");
      if (!cluster.equals(node.proxyCluster()) || !node.note().isEmpty()) {
        tx.nodes().route(id, cluster, "");
      }
    }
    if (!node.quarantine().isEmpty()) {
      tx.nodes().quarantine(id, "");
    }
    List<QueuedDirective> waiting =
        state.lastQueued() > accepted
            ? tx.directives().after(id, accepted, Integer.MAX_VALUE)
            : List.of();
    boolean told =
        switch (node.role()) {
          case RELAY -> {
            // Not kept by a relay that lost its state, and cheap.
            var _ = relays.tell(tx, id);
            yield true;
          }
          case PROXY -> {
            sending.tell(tx, node);
            yield true;
          }
          case AGENT ->
              policies
                  .delivery()
                  .opening(tx, policies.tree(tx), id, waiting, hello.getPolicyFingerprint());
          case MANAGER -> false;
        };
    waiting =
        told
            ? tx.directives().after(id, accepted, WINDOW)
            : waiting.subList(0, Math.min(WINDOW, waiting.size()));
    if (!waiting.isEmpty()) {
      tx.directives().delivered(id, waiting.getLast().sequence());
    }
    return new Outcome.Opened(node, generation, rolledBack, accepted, epoch, waiting, interrupted);
  }

  /** Hexadecimal; what is too long to be one is none. */
  static List<String> fingerprints(List<ByteString> roots) {
    return roots.stream()
        .filter(root -> root.size() == FINGERPRINT)
        .limit(MOST_ROOTS)
        .map(root -> HexFormat.of().formatHex(root.toByteArray()))
        .toList();
  }

  private Optional<Outcome> clone(
      Tx tx,
      Node node,
      NodeState state,
      String boot,
      boolean wentBack,
      Optional<String> otherBoot,
      Hello hello) {
    boolean newBoot = differ(state.bootId(), boot);
    boolean overlap = otherBoot.isPresent() && differ(otherBoot.get(), boot);
    boolean sameMachine = same(node.facts().getHardwareId(), hello.getFacts().getHardwareId());
    if (wentBack && newBoot && sameMachine && otherBoot.isEmpty()) {
      String restored =
          "put back to generation %d after the manager had seen %d, on the machine that it was on"
              .formatted(hello.getLastGeneration(), state.confirmedGeneration());
      tx.events().add(events.of("host.restored", node.id(), restored, Events.MANAGER), "");
      return Optional.empty();
    }
    if (!overlap && !(wentBack && (newBoot || otherBoot.isPresent()))) {
      return Optional.empty();
    }
    String reason =
        wentBack
            ? "generation "
                + hello.getLastGeneration()
                + " after the node had known "
                + state.confirmedGeneration()
            : "a second boot " + boot + " beside a live session of " + state.bootId();
    boolean proven = wentBack && !sameMachine;
    if (proven) {
      tx.events().add(events.of("clone.suspected", node.id(), reason, Events.MANAGER), "");
      if (otherBoot.isEmpty()) {
        tx.nodes().quarantine(node.id(), reason);
      }
    }
    return Optional.of(new Outcome.Quarantined(node, reason, proven));
  }

  private static boolean same(String one, String other) {
    return !one.isEmpty() && one.equals(other);
  }

  private static boolean differ(String one, String other) {
    return !one.isEmpty() && !other.isEmpty() && !one.equals(other);
  }
}
