package dev.towline.manager.session;

import com.google.protobuf.ByteString;
import dev.towline.manager.enrollment.CreatedToken;
import dev.towline.manager.enrollment.EnrollmentToken;
import dev.towline.manager.enrollment.EnrollmentTokens;
import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.enrollment.SourceNetworks;
import dev.towline.manager.events.Events;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.EnrollAnew;
import dev.towline.runtime.identity.Role;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;

/**
 * Lets the clone of an enrolled disk become a host of its own (I4): with a token that is good for
 * one host, told over the session that it has in quarantine. Safe for use by several threads.
 */
public final class Clones {
  /** Event: a clone was told to enroll as a host of its own. */
  static final String ENROLLS = "clone.enrolls_anew";

  private static final Duration LIFETIME = Duration.ofHours(1);

  private final EnrollmentTokens tokens;
  private final Events events;
  private final InstantSource clock;

  public Clones(EnrollmentTokens tokens, Events events, InstantSource clock) {
    this.tokens = tokens;
    this.events = events;
    this.clock = clock;
  }

  /**
   * What the proven clone of a node is told without asking anybody: its install command made an
   * image, so it was meant for clones, and is good for one more host.
   */
  Optional<EnrollAnew> allowed(Tx tx, String id) {
    Optional<Node> original = tx.nodes().find(id).filter(node -> node.role() == Role.AGENT);
    boolean allowed =
        original
            .flatMap(node -> tx.tokens().find(node.token()))
            .filter(EnrollmentToken::imageSystem)
            .filter(token -> token.revokedMs() == 0 && token.expiresMs() > clock.millis())
            .filter(token -> tx.tokens().use(token.id(), clock.millis()))
            .isPresent();
    return allowed
        ? original.map(node -> anew(tx, node, "its install command allows clones"))
        : Optional.empty();
  }

  /** What the clone of a node is told because an operator approved it. */
  EnrollAnew approved(Tx tx, Node original) {
    return anew(tx, original, "an operator approved it");
  }

  private EnrollAnew anew(Tx tx, Node original, String why) {
    CreatedToken token =
        tokens.create(
            tx,
            new NewToken(
                Role.AGENT,
                "linux",
                "",
                "",
                original.group(),
                original.region(),
                original.serviceProvider(),
                original.tags(),
                original.proxyCluster(),
                "",
                false,
                LIFETIME,
                1,
                "clone of " + original.name(),
                original.policy(),
                SourceNetworks.ANY));
    tx.events()
        .add(
            events.of(
                ENROLLS,
                original.id(),
                "a clone of " + original.name() + " becomes a host of its own: " + why,
                Events.MANAGER),
            "");
    // The one that has this identity from now on may not be there at the moment.
    tx.nodes().quarantine(original.id(), "");
    return EnrollAnew.newBuilder()
        .setTokenId(token.token().id())
        .setSecret(ByteString.copyFrom(token.secret()))
        .build();
  }
}
