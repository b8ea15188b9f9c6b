package dev.towline.manager.relays;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.directives.Directives;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.enrollment.CreatedToken;
import dev.towline.manager.enrollment.EnrollmentTokens;
import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.ids.Ids;
import dev.towline.manager.relays.RelayStore.Pair;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.ConfigureRelay;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RelayChild;
import dev.towline.proto.v1.RelayChildRole;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.proto.v1.SetRelayChildren;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.relay.RelayTuning;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Relay pairs: relays are told by directive what they are, parents which children to dial (R2, R5).
 * Safe for use by several threads.
 */
public final class Relays {
  public static final ErrorCode RELAY_NOT_FOUND = ErrorCode.user("RELAY_NOT_FOUND");
  public static final ErrorCode RELAY_INVALID = ErrorCode.user("RELAY_INVALID");

  /** Context of the key that proves a child which was never registered, from its token's secret. */
  public static final String PAIRING_KEY = "towline pairing key v1";

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
  private static final Duration LIFETIME = Duration.ofHours(24);
  private static final Set<DirectiveKind> KINDS =
      Set.of(
          DirectiveKind.DIRECTIVE_KIND_SET_RELAY_CHILDREN,
          DirectiveKind.DIRECTIVE_KIND_CONFIGURE_RELAY);
  private static final int DIAL_PORT = 52311;
  private static final int SESSION_PORT = 7443;
  private static final int PUBLIC_PORT = 8443;
  private static final int UPDATES_PORT = 8080;

  private final Store store;
  private final EnrollmentTokens tokens;
  private final Directives directives;
  private final InstantSource clock;
  private final SecureRandom random;
  private final RelayReports reports = new RelayReports();
  private final RelayViews views = new RelayViews(reports);

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
          RelayRecord parent =
              tx.relays().named(checkedName(name)).orElseGet(() -> newRelay(name)).asParent();
          tx.relays().save(parent);
          return parent;
        });
    return tokenFor(relay, lifetime, by);
  }

  private CreatedToken tokenFor(RelayRecord relay, Duration lifetime, String by) {
    return tokens.create(
        NewToken.infrastructure(Role.RELAY, relay.name(), relay.id(), "", lifetime, by));
  }

  /**
   * Makes two relays parent and child, whatever either of them is so far: a side that was never
   * registered gets a token, a registered one is told by directive (R5).
   */
  public Paired pair(NewPair wanted) {
    Sides sides = store.commit(tx -> sides(tx, wanted));
    Optional<CreatedToken> forParent =
        sides.parentRegistered() || sides.parent().child()
            ? Optional.empty()
            : Optional.of(tokenFor(sides.parent(), wanted.lifetime(), wanted.by()));
    Optional<CreatedToken> forChild =
        sides.childRegistered()
            ? Optional.empty()
            : Optional.of(tokenFor(sides.child(), wanted.lifetime(), wanted.by()));
    byte[] key =
        forChild
            .map(token -> Signatures.hmacSha256(token.secret(), PAIRING_KEY))
            .orElse(new byte[0]);
    told(tx -> {
      tx.relays().pair(sides.parent().id(), sides.child().id(), key);
      return Stream.concat(
              tell(tx, sides.parent().id()).stream(), tell(tx, sides.child().id()).stream())
          .toList();
    });
    return new Paired(
        sides.parent(),
        forParent,
        sides.child(),
        forChild,
        sides.childRegistered(),
        warnings(sides.child()));
  }

  private record Sides(
      RelayRecord parent, boolean parentRegistered, RelayRecord child, boolean childRegistered) {}

  private Sides sides(Tx tx, NewPair wanted) {
    if (wanted.child().isBlank()) {
      throw invalid("child list of " + wanted.parent() + ": empty (expected: at least one child)");
    }
    RelayRecord parent =
        tx.relays()
            .named(wanted.parent())
            .or(() -> tx.relays().find(wanted.parent()))
            .orElseGet(() -> newRelay(checkedName(wanted.parent())))
            .asParent();
    RelayRecord found =
        tx.relays()
            .named(wanted.child())
            .or(() -> tx.relays().find(wanted.child()))
            .orElseGet(() -> newRelay(checkedName(wanted.child())));
    if (found.name().equals(parent.name())) {
      throw invalid("child: " + wanted.child() + " (expected: another relay than the parent)");
    }
    if (isAbove(tx, found.id(), parent.id())) {
      throw invalid(
          "child: %s is above %s already (expected: a chain without a circle)"
              .formatted(found.name(), parent.name()));
    }
    String dial = dialAddress(wanted, found);
    RelayRecord child =
        new RelayRecord(
            found.id(),
            found.name(),
            found.parent(),
            dial,
            wanted.downstreamAddress().isBlank()
                ? found.downstreamAddress()
                : wanted.downstreamAddress().strip(),
            port(wanted.sessionPort(), found.sessionPort()),
            port(wanted.publicPort(), found.publicPort()),
            port(wanted.updatesPort(), found.updatesPort()),
            found.createdMs());
    tx.relays().save(parent);
    tx.relays().save(child);
    return new Sides(parent, isRegistered(tx, parent.id()), child, isRegistered(tx, child.id()));
  }

  /** As given, else as before, else where hosts below reach the child. */
  private static String dialAddress(NewPair wanted, RelayRecord found) {
    if (!wanted.dialAddress().isBlank()) {
      return withPort(wanted.dialAddress());
    }
    if (!found.dialAddress().isEmpty()) {
      return found.dialAddress();
    }
    if (wanted.downstreamAddress().isBlank()) {
      throw invalid("dial address: empty (expected: host or host:port that the parent dials)");
    }
    return withPort(wanted.downstreamAddress());
  }

  static boolean isRegistered(Tx tx, String relay) {
    return tx.nodes().find(relay).isPresent();
  }

  /** Whether the first one is a parent, or a parent's parent and so on, of the second. */
  static boolean isAbove(Tx tx, String above, String below) {
    List<Pair> pairs = tx.relays().pairs();
    Deque<String> open = new ArrayDeque<>(List.of(below));
    Set<String> seen = new HashSet<>();
    while (!open.isEmpty()) {
      String child = open.remove();
      for (Pair pair : pairs) {
        if (pair.childId().equals(child) && seen.add(pair.parentId())) {
          open.add(pair.parentId());
        }
      }
    }
    return seen.contains(above);
  }

  private static List<String> warnings(RelayRecord child) {
    return child.downstreamAddress().isEmpty()
        ? List.of(
            "no downstream address was given: hosts below "
                + child.name()
                + " can't be given a working install command; pair again with --downstream HOST")
        : List.of();
  }

  /**
   * Gives a parent its whole list of children: relays that were set up as children before.
   *
   * @throws TowlineException that names everything which is wrong with the list, for instance that
   *     it is empty; nothing changes then
   */
  public RelayInfo children(String parentName, List<String> children) {
    told(tx ->
        ChildLists.set(tx, relay(tx, parentName), children).affected().stream()
            .flatMap(id -> tell(tx, id).stream())
            .toList());
    return show(parentName);
  }

  /** Ends a pair. A child keeps what it is, so that another parent may dial it. */
  public void unpair(String parentName, String childName) {
    told(tx -> {
      RelayRecord parent = relay(tx, parentName);
      RelayRecord child = relay(tx, childName);
      if (tx.relays().pairsOfParent(parent.id()).stream()
          .noneMatch(pair -> pair.childId().equals(child.id()))) {
        throw invalid("pair: %s is not the parent of %s".formatted(parent.name(), child.name()));
      }
      tx.relays().unpair(parent.id(), child.id());
      // The child first: what it hears may come through this parent.
      return Stream.concat(tell(tx, child.id()).stream(), tell(tx, parent.id()).stream()).toList();
    });
  }

  /**
   * Changes settings of a relay; an empty value gives the key back to the relay.
   *
   * @throws TowlineException that names every key and value which is none; nothing changes then
   */
  public RelayInfo set(String name, Map<String, String> settings) {
    List<String> problems = new ArrayList<>();
    if (settings.isEmpty()) {
      problems.add("settings: none (expected: key=value)");
    }
    new TreeMap<>(settings)
        .forEach((key, value) -> {
          Optional<RelayTuning> tuning = RelayTuning.of(key);
          if (tuning.isEmpty()) {
            problems.add("%s: unknown (expected: one of %s)".formatted(key, RelayTuning.keys()));
          } else if (!value.isEmpty() && !tuning.get().accepts(value)) {
            problems.add("%s: '%s' (expected: %s)".formatted(key, value, tuning.get().range()));
          }
        });
    if (!problems.isEmpty()) {
      throw invalid(String.join("; ", problems));
    }
    told(tx -> {
      RelayRecord relay = relay(tx, name);
      settings.forEach((key, value) -> tx.relays().set(relay.id(), key, value));
      return tell(tx, relay.id());
    });
    return show(name);
  }

  /**
   * Takes a relay off every list; its name is free again, its tokens are worth nothing.
   *
   * @return id of its node, which may not exist
   */
  public String remove(String name) {
    String[] removed = new String[1];
    told(tx -> {
      RelayRecord relay = relay(tx, name);
      removed[0] = relay.id();
      List<Pair> pairs = tx.relays().pairs();
      tx.tokens().revokeOf(relay.id(), clock.millis());
      tx.relays().delete(relay.id());
      List<QueuedDirective> told = new ArrayList<>();
      for (Pair pair : pairs) {
        if (pair.childId().equals(relay.id())) {
          told.addAll(tell(tx, pair.parentId()));
        } else if (pair.parentId().equals(relay.id())) {
          told.addAll(tell(tx, pair.childId()));
        }
      }
      return told;
    });
    reports.forget(removed[0]);
    return removed[0];
  }

  private void told(Function<Tx, List<QueuedDirective>> work) {
    directives.committed(store.commit(work::apply));
  }

  /** In order of name. */
  public List<RelayInfo> list() {
    return store.read(views::all);
  }

  public RelayInfo show(String nameOrId) {
    return store.read(tx -> views.of(tx, relay(tx, nameOrId)));
  }

  /** A relay by name or id. */
  public RelayRecord relay(String nameOrId) {
    return store.read(tx -> relay(tx, nameOrId));
  }

  /** Whether there is a relay of this name or id that holds a certificate. */
  public boolean isRegistered(String nameOrId) {
    return store.read(tx ->
        tx.relays()
            .named(nameOrId)
            .or(() -> tx.relays().find(nameOrId))
            .filter(relay -> isRegistered(tx, relay.id()))
            .isPresent());
  }

  /** What relays say about themselves. */
  public RelayReports reports() {
    return reports;
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
   * Tells a relay what it is: its whole list of children when it is a parent, whether it is a
   * child, and its settings. Earlier directives of these kinds that it has not seen are withdrawn.
   */
  public List<QueuedDirective> tell(Tx tx, String id) {
    Optional<RelayRecord> found = tx.relays().find(id);
    if (found.isEmpty() || !isRegistered(tx, id)) {
      return List.of();
    }
    RelayRecord relay = found.get();
    long accepted = tx.sessions().find(id).orElseThrow().lastAccepted();
    for (QueuedDirective earlier : tx.directives().after(id, accepted, 1000)) {
      if (KINDS.contains(earlier.kind()) && earlier.state() == DirectiveState.QUEUED) {
        tx.directives()
            .end(
                earlier.id(),
                DirectiveState.ENDED,
                Outcome.OUTCOME_SKIPPED,
                "a newer one took its place",
                clock.millis());
      }
    }
    List<QueuedDirective> queued = new ArrayList<>();
    queued.add(
        enqueue(
            tx,
            id,
            DirectiveContent.newBuilder().setConfigureRelay(configuration(tx, relay)).build()));
    if (relay.parent()) {
      queued.add(
          enqueue(
              tx,
              id,
              DirectiveContent.newBuilder().setSetRelayChildren(children(tx, relay)).build()));
    }
    return queued;
  }

  private QueuedDirective enqueue(Tx tx, String id, DirectiveContent content) {
    return directives.enqueue(tx, id, content, LIFETIME, "");
  }

  private static ConfigureRelay configuration(Tx tx, RelayRecord relay) {
    ConfigureRelay.Builder configuration =
        ConfigureRelay.newBuilder().putAllSettings(tx.relays().settings(relay.id()));
    if (relay.child()) {
      configuration.setChild(
          RelayChildRole.newBuilder()
              .addAllParents(
                  tx.relays().pairs().stream()
                      .filter(pair -> pair.childId().equals(relay.id()))
                      .map(Pair::parentId)
                      .toList())
              .setDialPort(portOf(relay.dialAddress()))
              .setDownstreamAddress(relay.downstreamAddress())
              .setSessionPort(relay.sessionPort())
              .setPublicPort(relay.publicPort())
              .setUpdatesPort(relay.updatesPort()));
    }
    return configuration.build();
  }

  private static SetRelayChildren children(Tx tx, RelayRecord parent) {
    SetRelayChildren.Builder children = SetRelayChildren.newBuilder();
    for (Pair pair : tx.relays().pairsOfParent(parent.id())) {
      RelayRecord child = tx.relays().find(pair.childId()).orElseThrow();
      children.addChildren(
          RelayChild.newBuilder()
              .setRelayId(child.id())
              .setName(child.name())
              .setDialAddress(child.dialAddress())
              .setPairingKey(ByteString.copyFrom(pair.pairingKey())));
    }
    return children.setNoParent(children.getChildrenCount() == 0).build();
  }

  private RelayRecord newRelay(String name) {
    return new RelayRecord(
        Ids.newShort(random),
        name,
        false,
        "",
        "",
        SESSION_PORT,
        PUBLIC_PORT,
        UPDATES_PORT,
        clock.millis());
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

  /** Port of a dial address. */
  public static int portOf(String address) {
    return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
  }

  private static String checkedName(String name) {
    if (!NAME.matcher(name).matches()) {
      throw invalid("relay name: '" + name + "' (expected: letters, digits, '.', '_' and '-')");
    }
    return name;
  }

  private static String withPort(String given) {
    String address = given.strip();
    boolean hasPort =
        address.startsWith("[")
            ? address.contains("]:")
            : address.indexOf(':') >= 0 && address.indexOf(':') == address.lastIndexOf(':');
    return hasPort ? address : address + ":" + DIAL_PORT;
  }

  private static int port(int port, int usual) {
    if (port < 0 || port > 65_535) {
      throw invalid("port: " + port + " (expected: 1 to 65535)");
    }
    return port == 0 ? usual : port;
  }

  static TowlineException invalid(String message) {
    return new TowlineException(RELAY_INVALID, message, "correct it and try again");
  }

  /**
   * @param dialAddress host:port that the parent dials; port 52311 when absent
   * @param downstreamAddress host that hosts below the child use
   * @param sessionPort of the child's downstream listener; 0 for what it was, at first 7443
   * @param publicPort the same for installing, at first 8443
   * @param updatesPort the same for updates, at first 8080
   */
  public record NewPair(
      String parent,
      String child,
      String dialAddress,
      String downstreamAddress,
      int sessionPort,
      int publicPort,
      int updatesPort,
      Duration lifetime,
      String by) {}

  /**
   * @param forParent empty when the parent is registered, or is a child that has a command already
   * @param forChild empty when the child is registered
   */
  public record Paired(
      RelayRecord parent,
      Optional<CreatedToken> forParent,
      RelayRecord child,
      Optional<CreatedToken> forChild,
      boolean childRegistered,
      List<String> warnings) {}
}
