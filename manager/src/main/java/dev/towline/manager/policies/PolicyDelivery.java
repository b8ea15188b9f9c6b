package dev.towline.manager.policies;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.directives.Directives;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.events.Events;
import dev.towline.manager.policies.PolicyStore.HostPolicy;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SetPolicy;
import dev.towline.runtime.policy.EffectivePolicy;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Sends hosts their effective policy when its fingerprint differs from what they have, and only
 * then (H6). What is on its way is noted, so that nothing is sent twice; a host that did not take
 * it is asked again after {@link #AGAIN_AFTER}, or in its next session. Stateless.
 */
public final class PolicyDelivery {
  static final Duration AGAIN_AFTER = Duration.ofMinutes(10);
  static final String FAILED = "policy.failed";

  private final Directives directives;
  private final Events events;
  private final InstantSource clock;

  public PolicyDelivery(Directives directives, Events events, InstantSource clock) {
    this.directives = directives;
    this.events = events;
    this.clock = clock;
  }

  /** Tells those of the hosts that are in session; gives what was queued. */
  List<QueuedDirective> tell(Tx tx, PolicyTree tree, List<HostPolicy> hosts) {
    long now = clock.millis();
    Map<String, EffectivePolicy> byPolicy = new HashMap<>();
    Map<EffectivePolicy, List<String>> toTell = new LinkedHashMap<>();
    Map<EffectivePolicy, ByteString> fingerprints = new HashMap<>();
    for (HostPolicy host : hosts) {
      if (!host.online()) {
        continue;
      }
      EffectivePolicy wanted = wanted(tree, host, byPolicy);
      Optional<ByteString> sent =
          host.sent().filter(_ -> now - host.sentMs() < AGAIN_AFTER.toMillis());
      ByteString fingerprint = fingerprints.computeIfAbsent(wanted, EffectivePolicy::fingerprint);
      if (!fingerprint.equals(sent.orElse(host.reported()))) {
        toTell.computeIfAbsent(wanted, _ -> new ArrayList<>()).add(host.id());
      }
    }
    List<QueuedDirective> queued = new ArrayList<>();
    toTell.forEach((wanted, ids) -> queued.addAll(send(tx, ids, wanted, now)));
    return queued;
  }

  static EffectivePolicy wanted(
      PolicyTree tree, HostPolicy host, Map<String, EffectivePolicy> byPolicy) {
    return tree.host(host.id()).isPresent()
        ? tree.forHost(host.id(), host.policy())
        : byPolicy.computeIfAbsent(tree.counting(host.policy()), name -> tree.forHost("", name));
  }

  /**
   * A session begins, and the host said what it has.
   *
   * @param waiting what the session will bring it
   * @return whether there is more for it now
   */
  public boolean opening(
      Tx tx, PolicyTree tree, String id, List<QueuedDirective> waiting, ByteString reported) {
    Optional<HostPolicy> host = tx.policies().host(id);
    if (host.isEmpty()) {
      return false;
    }
    if (host.get().sent().isPresent()) {
      tx.policies().nothingSent(id);
    }
    if (!host.get().reported().equals(reported)) {
      tx.policies().reported(id, reported);
    }
    EffectivePolicy wanted = tree.forHost(id, host.get().policy());
    ByteString coming =
        waiting.stream()
            .filter(d -> d.kind() == DirectiveKind.DIRECTIVE_KIND_SET_POLICY && isAhead(d.state()))
            .reduce((_, last) -> last)
            .map(d -> content(d).getFingerprint())
            .orElse(reported);
    if (!coming.equals(wanted.fingerprint())) {
      return !send(tx, List.of(id), wanted, clock.millis()).isEmpty();
    }
    if (!coming.equals(reported)) {
      tx.policies().sent(List.of(id), coming, clock.millis());
    }
    return false;
  }

  /** What became of it. */
  public void result(Tx tx, String id, QueuedDirective directive, DirectiveResult result) {
    if (result.getOutcome() == Outcome.OUTCOME_SUCCEEDED) {
      tx.policies().reported(id, content(directive).getFingerprint());
    } else if (result.getOutcome() != Outcome.OUTCOME_SKIPPED) {
      String detail =
          result.getDetail().isEmpty() ? result.getOutcome().name() : result.getDetail();
      tx.events().add(events.of(FAILED, id, detail, Events.MANAGER), "");
    }
  }

  private List<QueuedDirective> send(Tx tx, List<String> hosts, EffectivePolicy wanted, long now) {
    ByteString fingerprint = wanted.fingerprint();
    tx.policies().sent(hosts, fingerprint, now);
    return directives.enqueueAll(
        tx,
        hosts,
        DirectiveContent.newBuilder()
            .setSetPolicy(
                SetPolicy.newBuilder()
                    .putAllSettings(wanted.settings())
                    .setFingerprint(fingerprint))
            .build(),
        AGAIN_AFTER,
        "");
  }

  private static boolean isAhead(DirectiveState state) {
    return switch (state) {
      case QUEUED, DELIVERED -> true;
      case ACCEPTED, RUNNING, ENDED, REFUSED, EXPIRED -> false;
    };
  }

  private static SetPolicy content(QueuedDirective directive) {
    try {
      return DirectiveContent.parseFrom(directive.content()).getSetPolicy();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("directive " + directive.id() + " can't be read", e);
    }
  }
}
