package dev.towline.manager.relays;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.directives.Directives;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.enrollment.CreatedToken;
import dev.towline.manager.enrollment.EnrollmentTokens;
import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.ids.Ids;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.relays.RelayStore.Pair;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RelayChild;
import dev.towline.proto.v1.SetRelayChildren;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Relay pairs: parents are told by directive which children to dial (R2). Safe for use by several
 * threads.
 */
public final class Relays {
  public static final ErrorCode RELAY_NOT_FOUND = ErrorCode.user("RELAY_NOT_FOUND");
  public static final ErrorCode RELAY_INVALID = ErrorCode.user("RELAY_INVALID");

  /** Context of the key that proves a child which was never registered, from its token's secret. */
  public static final String PAIRING_KEY = "towline pairing key v1";

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
  private static final Duration CHILD_LIST_LIFETIME = Duration.ofHours(24);
  private static final int DIAL_PORT = 52311;
  private static final int SESSION_PORT = 7443;
  private static final int PUBLIC_PORT = 8443;

  private final Store store;
  private final EnrollmentTokens tokens;
  private final Directives directives;
  private final InstantSource clock;
  private final SecureRandom random;

  public Relays(
      Store store,
      EnrollmentTokens tokens,
      Directives directives,
      InstantSource clock,
      SecureRandom random) {
    this.store = store;
    this.tokens = tokens;
    this.directives = directives;
    this.clock = clock;
    this.random = random;
  }

  /** A token that makes a host the parent relay of this name. */
  public CreatedToken createParent(String name, Duration lifetime, String by) {
    RelayRecord relay =
        store.commit(tx -> {
          RelayRecord found = tx.relays().named(checkedName(name)).orElseGet(() -> newRelay(name));
          RelayRecord parent =
              new RelayRecord(
                  found.id(),
                  name,
                  true,
                  found.dialAddress(),
                  found.downstreamAddress(),
                  found.sessionPort(),
                  found.publicPort(),
                  found.createdMs());
          tx.relays().save(parent);
          return parent;
        });
    return tokens.create(
        NewToken.infrastructure(Role.RELAY, relay.name(), relay.id(), "", lifetime, by));
  }

  /** Makes a relay the child of a parent, and gives the token for a child never registered. */
  public Paired pair(NewPair wanted) {
    if (wanted.dialAddress().isBlank()) {
      throw invalid("dial address: empty (expected: host or host:port that the parent dials)");
    }
    RelayRecord child =
        store.commit(tx -> {
          RelayRecord parent = relay(tx, wanted.parent());
          if (!parent.parent()) {
            throw new TowlineException(
                RELAY_INVALID,
                "relay " + parent.name() + " is not a parent",
                "make it one first: towline relays parent-command " + parent.name());
          }
          RelayRecord found =
              tx.relays()
                  .named(checkedName(wanted.child()))
                  .orElseGet(() -> newRelay(wanted.child()));
          if (found.id().equals(parent.id())) {
            throw invalid("child: " + wanted.child() + " (expected: another relay)");
          }
          RelayRecord saved =
              new RelayRecord(
                  found.id(),
                  found.name(),
                  found.parent(),
                  withPort(wanted.dialAddress().strip()),
                  wanted.downstreamAddress().strip(),
                  port(wanted.sessionPort(), SESSION_PORT),
                  port(wanted.publicPort(), PUBLIC_PORT),
                  found.createdMs());
          tx.relays().save(saved);
          return saved;
        });
    CreatedToken token =
        tokens.create(
            NewToken.infrastructure(
                Role.RELAY, child.name(), child.id(), "", wanted.lifetime(), wanted.by()));
    byte[] key = Signatures.hmacSha256(token.secret(), PAIRING_KEY);
    List<QueuedDirective> told =
        store.commit(tx -> {
          RelayRecord parent = relay(tx, wanted.parent());
          tx.relays().pair(parent.id(), child.id(), key);
          return tell(tx, parent.id());
        });
    directives.committed(told);
    List<String> warnings =
        child.downstreamAddress().isEmpty()
            ? List.of(
                "no downstream address was given: hosts below "
                    + child.name()
                    + " can't be given a working install command")
            : List.of();
    return new Paired(token, child, warnings);
  }

  /** Each relay with its node, if it enrolled, and its partners. In order of name. */
  public List<View> list() {
    return store.read(tx -> {
      List<Pair> pairs = tx.relays().pairs();
      List<RelayRecord> relays = tx.relays().list();
      return relays.stream()
          .map(relay ->
              new View(
                  relay,
                  tx.nodes().find(relay.id()),
                  pairs.stream()
                      .filter(pair -> pair.childId().equals(relay.id()))
                      .map(pair -> name(relays, pair.parentId()))
                      .toList(),
                  pairs.stream()
                      .filter(pair -> pair.parentId().equals(relay.id()))
                      .map(pair -> name(relays, pair.childId()))
                      .toList()))
          .toList();
    });
  }

  /** A relay by name or id. */
  public RelayRecord relay(String nameOrId) {
    return store.read(tx -> relay(tx, nameOrId));
  }

  /**
   * Within the transaction that gives a relay its certificate: its parents need its pairing secret
   * no more. The directives are to be passed on after the commit.
   */
  public List<QueuedDirective> enrolled(Tx tx, String relayId) {
    List<QueuedDirective> told = new ArrayList<>();
    tx.relays().forgetPairingKey(relayId);
    for (Pair pair : tx.relays().pairs()) {
      if (pair.childId().equals(relayId)) {
        told.addAll(tell(tx, pair.parentId()));
      }
    }
    return told;
  }

  /**
   * Tells a parent its whole list of children; earlier lists that it has not seen are withdrawn.
   */
  public List<QueuedDirective> tell(Tx tx, String parentId) {
    Optional<RelayRecord> parent = tx.relays().find(parentId).filter(RelayRecord::parent);
    if (parent.isEmpty() || tx.nodes().find(parentId).isEmpty()) {
      return List.of();
    }
    long accepted = tx.sessions().find(parentId).orElseThrow().lastAccepted();
    for (QueuedDirective earlier : tx.directives().after(parentId, accepted, 1000)) {
      if (earlier.kind() == DirectiveKind.DIRECTIVE_KIND_SET_RELAY_CHILDREN
          && earlier.state() == DirectiveState.QUEUED) {
        tx.directives()
            .end(
                earlier.id(),
                DirectiveState.ENDED,
                Outcome.OUTCOME_SKIPPED,
                "a newer list took its place",
                clock.millis());
      }
    }
    SetRelayChildren.Builder children = SetRelayChildren.newBuilder();
    for (Pair pair : tx.relays().pairsOfParent(parentId)) {
      RelayRecord child = tx.relays().find(pair.childId()).orElseThrow();
      children.addChildren(
          RelayChild.newBuilder()
              .setRelayId(child.id())
              .setName(child.name())
              .setDialAddress(child.dialAddress())
              .setPairingKey(ByteString.copyFrom(pair.pairingKey())));
    }
    return List.of(
        directives.enqueue(
            tx,
            parentId,
            DirectiveContent.newBuilder().setSetRelayChildren(children).build(),
            CHILD_LIST_LIFETIME,
            ""));
  }

  private RelayRecord newRelay(String name) {
    return new RelayRecord(
        Ids.newShort(random), name, false, "", "", SESSION_PORT, PUBLIC_PORT, clock.millis());
  }

  private static RelayRecord relay(Tx tx, String nameOrId) {
    return tx.relays()
        .named(nameOrId)
        .or(() -> tx.relays().find(nameOrId))
        .orElseThrow(() ->
            new TowlineException(
                RELAY_NOT_FOUND,
                "relay: " + nameOrId + " is neither the name nor the id of a relay",
                "see towline relays list"));
  }

  private static String name(List<RelayRecord> relays, String id) {
    return relays.stream()
        .filter(relay -> relay.id().equals(id))
        .findFirst()
        .map(RelayRecord::name)
        .orElse(id);
  }

  private static String checkedName(String name) {
    if (!NAME.matcher(name).matches()) {
      throw invalid("relay name: '" + name + "' (expected: letters, digits, '.', '_' and '-')");
    }
    return name;
  }

  private static String withPort(String address) {
    boolean hasPort =
        address.startsWith("[")
            ? address.contains("]:")
            : address.indexOf(':') >= 0 && address.indexOf(':') == address.lastIndexOf(':');
    return hasPort ? address : address + ":" + DIAL_PORT;
  }

  private static int port(int port, int usual) {
    if (port < 0 || port > 65535) {
      throw invalid("port: " + port + " (expected: 1 to 65535)");
    }
    return port == 0 ? usual : port;
  }

  private static TowlineException invalid(String message) {
    return new TowlineException(RELAY_INVALID, message, "correct it and try again");
  }

  /**
   * @param dialAddress host:port that the parent dials; port 52311 when absent
   * @param sessionPort of the child's downstream listener; 0 for 7443
   * @param publicPort of the child's downstream listener; 0 for 8443
   */
  public record NewPair(
      String parent,
      String child,
      String dialAddress,
      String downstreamAddress,
      int sessionPort,
      int publicPort,
      Duration lifetime,
      String by) {}

  /** */
  public record Paired(CreatedToken token, RelayRecord child, List<String> warnings) {}

  /**
   * @param node of the running program; empty before it enrolled
   */
  public record View(
      RelayRecord relay, Optional<Node> node, List<String> parents, List<String> children) {}
}
