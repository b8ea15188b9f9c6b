package dev.towline.manager.directives;

import com.google.protobuf.ByteString;
import dev.towline.manager.ids.Ids;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Collection;
import java.util.List;

/** Makes directives of contents. Safe for use by several threads. */
public final class Directives {
  private final InstantSource clock;
  private final SecureRandom random;
  private final Delivery delivery;

  public Directives(InstantSource clock, SecureRandom random, Delivery delivery) {
    this.clock = clock;
    this.random = random;
    this.delivery = delivery;
  }

  /** Puts a directive into its target's queue; after the commit {@link #committed} is due. */
  public QueuedDirective enqueue(
      Tx tx, String target, DirectiveContent content, Duration lifetime, String action) {
    return enqueueAll(tx, List.of(target), content, lifetime, action).getFirst();
  }

  /** The same for many targets, each of them named once. */
  public List<QueuedDirective> enqueueAll(
      Tx tx,
      Collection<String> targets,
      DirectiveContent content,
      Duration lifetime,
      String action) {
    long now = clock.millis();
    ByteString bytes = content.toByteString();
    return tx.directives()
        .addAll(
            targets.stream()
                .map(target ->
                    new NewDirective(
                        Ids.newUuid(random),
                        target,
                        kind(content),
                        bytes,
                        now,
                        now + lifetime.toMillis(),
                        action,
                        delivery.isLive(target) ? DirectiveState.DELIVERED : DirectiveState.QUEUED))
                .toList());
  }

  public void committed(Collection<QueuedDirective> directives) {
    delivery.queued(directives);
  }

  private static DirectiveKind kind(DirectiveContent content) {
    return switch (content.getContentCase()) {
      case NO_OP -> DirectiveKind.DIRECTIVE_KIND_NO_OP;
      case RUN_ACTION -> DirectiveKind.DIRECTIVE_KIND_RUN_ACTION;
      case CANCEL_ACTION -> DirectiveKind.DIRECTIVE_KIND_CANCEL_ACTION;
      case SKIP -> DirectiveKind.DIRECTIVE_KIND_SKIP;
      case SET_RELAY_CHILDREN -> DirectiveKind.DIRECTIVE_KIND_SET_RELAY_CHILDREN;
      case CONFIGURE_RELAY -> DirectiveKind.DIRECTIVE_KIND_CONFIGURE_RELAY;
      case INSTALL_PROGRAM -> DirectiveKind.DIRECTIVE_KIND_INSTALL_PROGRAM;
      case REHOME -> DirectiveKind.DIRECTIVE_KIND_REHOME;
      case CONTROL_PROXY -> DirectiveKind.DIRECTIVE_KIND_CONTROL_PROXY;
      case CONFIGURE_SENDING -> DirectiveKind.DIRECTIVE_KIND_CONFIGURE_SENDING;
      case SET_POLICY -> DirectiveKind.DIRECTIVE_KIND_SET_POLICY;
      case CONTROL_FIREWALL -> DirectiveKind.DIRECTIVE_KIND_CONTROL_FIREWALL;
      case CONTENT_NOT_SET -> throw new IllegalArgumentException("directive content: none");
    };
  }
}
