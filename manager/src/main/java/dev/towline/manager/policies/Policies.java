package dev.towline.manager.policies;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.Directives;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.NodeQuery;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.policies.PolicyStore.HostPolicy;
import dev.towline.manager.policies.PolicyTree.Effective;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.policy.UpdatePolicy;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.regex.Pattern;

/**
 * Policies and what operators do with them (H2, H6). A change is stored with its author, and the
 * hosts in session that it concerns get their directives, in one transaction.
 *
 * <p>Threading: safe for use by several threads. Failure: a change that is refused changes nothing.
 */
public final class Policies {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
  private static final String REVISION = "policies.revision";

  private final Store store;
  private final Catalogue catalogue;
  private final PolicyDelivery delivery;
  private final Directives directives;
  private final InstantSource clock;
  private volatile Snapshot snapshot;

  private record Snapshot(String revision, PolicyTree tree) {}

  public Policies(
      Store store,
      Catalogue catalogue,
      PolicyDelivery delivery,
      Directives directives,
      InstantSource clock) {
    this.store = store;
    this.catalogue = catalogue;
    this.delivery = delivery;
    this.directives = directives;
    this.clock = clock;
    this.snapshot = new Snapshot("none", new PolicyTree(catalogue, List.of()));
  }

  public Catalogue catalogue() {
    return catalogue;
  }

  public PolicyDelivery delivery() {
    return delivery;
  }

  /** All levels as they are now. */
  public PolicyTree tree() {
    Snapshot read = store.read(tx -> new Snapshot(tx.fleet().value(REVISION).orElse(""), tree(tx)));
    snapshot = read;
    return read.tree();
  }

  /**
   * As the transaction sees it. Not kept for others: what a transaction sees may be of another one
   * that is rolled back.
   */
  public PolicyTree tree(Tx tx) {
    String revision = tx.fleet().value(REVISION).orElse("");
    Snapshot known = snapshot;
    return known.revision().equals(revision)
        ? known.tree()
        : new PolicyTree(catalogue, tx.policies().levels());
  }

  /** As of the last change that was looked at; for those who look again and again. */
  public PolicyTree recentTree() {
    return snapshot.tree();
  }

  /** Every policy with the number of hosts that have it. */
  public Map<String, Integer> hostCounts() {
    return store.read(tx -> {
      PolicyTree tree = tree(tx);
      Map<String, Integer> counts = new HashMap<>();
      tx.policies().hosts().forEach(h -> counts.merge(tree.counting(h.policy()), 1, Integer::sum));
      return counts;
    });
  }

  public Level policy(String name) {
    return tree().policy(name).orElseThrow(() -> PolicyErrors.notFound(name));
  }

  /**
   * @throws TowlineException when there is no such policy
   */
  public void checkExists(String name) {
    var _ = policy(name);
  }

  public Level create(String author, String name, String parent, String description) {
    checkName(name);
    var _ =
        change(
            author,
            false,
            (_, draft) -> {
              if (draft.policies().containsKey(name)) {
                throw new TowlineException(
                    PolicyErrors.EXISTS,
                    "policy: " + name + " exists already",
                    "choose another name, or change it: towline policies set " + name);
              }
              draft
                  .policies()
                  .put(
                      name,
                      Level.fresh(Level.Kind.POLICY, name, "")
                          .with(parent.isEmpty() ? Level.BASE : parent, description, Map.of()));
            });
    return policy(name);
  }

  public void delete(String author, String name) {
    var _ =
        change(
            author,
            false,
            (tx, draft) -> {
              if (name.equals(Level.BASE)) {
                throw inUse("policy base stands above all others and stays");
              }
              if (draft.policies().remove(name) == null) {
                throw PolicyErrors.notFound(name);
              }
              List<String> children =
                  draft.policies().values().stream()
                      .filter(level -> level.parent().equals(name))
                      .map(Level::name)
                      .sorted()
                      .toList();
              if (!children.isEmpty()) {
                throw inUse("policy %s is the parent of %s".formatted(name, children));
              }
              long hosts =
                  tx.policies().hosts().stream().filter(h -> h.policy().equals(name)).count();
              if (hosts > 0) {
                throw inUse("policy %s is the one of %d hosts".formatted(name, hosts));
              }
              int commands = tx.policies().commandsWith(name, clock.millis());
              if (commands > 0) {
                throw inUse(
                    "policy %s is given by %d install commands that are still valid"
                        .formatted(name, commands));
              }
            });
  }

  /**
   * @param changes names and values; {@value Catalogue#INHERITED} takes a value away
   */
  public PolicyChange setPolicy(String author, String name, Map<String, String> changes) {
    return change(
        author,
        false,
        (_, draft) -> {
          Level level = draft.policies().get(name);
          if (level == null) {
            throw PolicyErrors.notFound(name);
          }
          draft.policies().put(name, with(level, changes));
        });
  }

  public PolicyChange setHost(String author, Node host, Map<String, String> changes) {
    return change(
        author, false, (_, draft) -> draft.host(host.id(), level -> with(level, changes)));
  }

  /** Gives the selected hosts another policy. */
  public PolicyChange assign(String author, Selector selector, String policy) {
    return change(
        author,
        false,
        (tx, draft) -> {
          if (!draft.policies().containsKey(policy)) {
            throw PolicyErrors.notFound(policy);
          }
          tx.nodes().list(NodeQuery.all(Role.AGENT, selector)).stream()
              .filter(node -> node.revokedMs() == 0)
              .forEach(node -> draft.assign(node.id(), policy));
        });
  }

  public List<Level> history(Level.Kind kind, String name) {
    return store.read(tx -> tx.policies().history(kind, name));
  }

  /** Makes the level what it was; that becomes a version of its own. */
  public PolicyChange revert(String author, Level.Kind kind, String name, long version) {
    return change(
        author,
        false,
        (tx, draft) -> {
          Level then =
              tx.policies().history(kind, name).stream()
                  .filter(level -> level.version() == version)
                  .findFirst()
                  .orElseThrow(() ->
                      PolicyErrors.invalid(
                          "version: %d (expected: one of the history of %s)"
                              .formatted(version, name)));
          // What was allowed then may not be any more.
          Map<String, String> settings = catalogue.changed(Map.of(), then.settings());
          if (kind == Level.Kind.POLICY) {
            Level now = draft.policies().get(name);
            Level base = now == null ? Level.fresh(kind, name, "") : now;
            draft.policies().put(name, base.with(then.parent(), then.description(), settings));
          } else {
            draft.host(name, level -> level.with(level.parent(), level.description(), settings));
            draft.assign(name, then.parent());
          }
        });
  }

  /** What a host goes by, and whether it has it. */
  public record Explained(
      HostPolicy host, String policy, List<Effective> settings, ByteString fingerprint) {}

  public Explained explain(Node node) {
    return store.read(tx -> {
      PolicyTree tree = tree(tx);
      HostPolicy host =
          tx.policies()
              .host(node.id())
              .orElseThrow(() -> PolicyErrors.invalid("host: " + node.name() + " was revoked"));
      return new Explained(
          host,
          tree.counting(host.policy()),
          tree.effective(host.id(), host.policy()),
          tree.forHost(host.id(), host.policy()).fingerprint());
    });
  }

  public String document() {
    return store.read(tx -> {
      PolicyTree tree = tree(tx);
      Map<String, String> names = new TreeMap<>();
      Map<String, String> policies = new HashMap<>();
      Map<String, Integer> bearers = new HashMap<>();
      List<HostPolicy> hosts = tx.policies().hosts();
      hosts.forEach(host -> bearers.merge(host.name(), 1, Integer::sum));
      for (HostPolicy host : hosts) {
        boolean own = tree.host(host.id()).filter(l -> !l.settings().isEmpty()).isPresent();
        if (own || !tree.counting(host.policy()).equals(Level.BASE)) {
          boolean unique = bearers.getOrDefault(host.name(), 0) == 1;
          names.put(host.id(), unique ? host.name() : host.id());
          policies.put(host.id(), host.policy());
        }
      }
      return PolicyYaml.print(tree, names, policies);
    });
  }

  /**
   * Makes the levels that the document names as it says; others stay.
   *
   * @param dryRun only says what would be different
   */
  public PolicyChange apply(String author, String yaml, boolean dryRun) {
    PolicyYaml.Document document = PolicyYaml.parse(yaml);
    return change(
        author,
        dryRun,
        (tx, draft) -> {
          document
              .policies()
              .forEach((name, part) -> {
                checkName(name);
                Level known = draft.policies().get(name);
                Level level = known == null ? Level.fresh(Level.Kind.POLICY, name, "") : known;
                String parent =
                    name.equals(Level.BASE)
                        ? part.parent().orElse("")
                        : part.parent().orElse(known == null ? Level.BASE : known.parent());
                draft
                    .policies()
                    .put(
                        name,
                        level.with(
                            parent,
                            part.description().orElse(level.description()),
                            given(level, part.settings())));
              });
          document
              .hosts()
              .forEach((nameOrId, part) -> {
                HostPolicy host = find(tx, nameOrId);
                part.policy()
                    .ifPresent(policy -> {
                      if (!draft.policies().containsKey(policy)) {
                        throw PolicyErrors.notFound(policy);
                      }
                      draft.assign(host.id(), policy);
                    });
                draft.host(
                    host.id(),
                    level ->
                        level.with(
                            level.parent(), level.description(), given(level, part.settings())));
              });
        });
  }

  /** Looks whether every host in session has what it should, and tells those that do not. */
  public int repair() {
    var _ = tree();
    List<QueuedDirective> queued =
        store.commit(tx -> delivery.tell(tx, tree(tx), tx.policies().hosts()));
    directives.committed(queued);
    return queued.size();
  }

  private PolicyChange change(String author, boolean dryRun, BiConsumer<Tx, PolicyDraft> work) {
    if (dryRun) {
      return store.read(tx -> {
        PolicyDraft draft = new PolicyDraft(catalogue, tx);
        work.accept(tx, draft);
        draft.check();
        draft.checkDirections(tree(tx));
        return draft.difference(tree(tx));
      });
    }
    record Done(PolicyChange change, List<QueuedDirective> queued) {}
    Done done =
        store.commit(tx -> {
          PolicyTree before = tree(tx);
          PolicyDraft draft = new PolicyDraft(catalogue, tx);
          work.accept(tx, draft);
          draft.check();
          draft.checkDirections(before);
          PolicyChange change = draft.difference(before);
          if (!draft.save(author, clock.millis())) {
            return new Done(change, List.of());
          }
          var _ = tx.fleet().next(REVISION);
          // Not kept: this transaction may still be rolled back.
          PolicyTree after = new PolicyTree(catalogue, tx.policies().levels());
          return new Done(change, delivery.tell(tx, after, tx.policies().hosts()));
        });
    directives.committed(done.queued());
    var _ = tree();
    return done.change();
  }

  private Level with(Level level, Map<String, String> changes) {
    return level.with(
        level.parent(), level.description(), catalogue.changed(level.settings(), changes));
  }

  /** The settings of a document; a secret that it does not know stays as it is. */
  private SortedMap<String, String> given(Level level, Map<String, String> settings) {
    Map<String, String> given = new TreeMap<>(settings);
    given.values().removeIf(Catalogue.INHERITED::equals);
    Map<String, String> secrets = new TreeMap<>(level.settings());
    secrets
        .keySet()
        .removeIf(
            name -> !UpdatePolicy.isSecret(name) || !UpdatePolicy.HIDDEN.equals(given.get(name)));
    return catalogue.changed(secrets, given);
  }

  private static HostPolicy find(Tx tx, String nameOrId) {
    Optional<HostPolicy> byId = tx.policies().host(nameOrId);
    if (byId.isPresent()) {
      return byId.get();
    }
    List<Node> named =
        tx.nodes().named(Role.AGENT, nameOrId).stream()
            .filter(node -> node.revokedMs() == 0)
            .toList();
    if (named.size() != 1) {
      throw new TowlineException(
          named.isEmpty() ? Hosts.HOST_NOT_FOUND : Hosts.HOST_AMBIGUOUS,
          "host: %s (%s)"
              .formatted(
                  nameOrId, named.isEmpty() ? "there is none" : named.size() + " hosts have it"),
          "use an id or name that towline hosts list shows");
    }
    return tx.policies().host(named.getFirst().id()).orElseThrow();
  }

  private static void checkName(String name) {
    if (!NAME.matcher(name).matches()) {
      throw PolicyErrors.invalid(
          "policy name: '%s' (expected: 1 to 63 letters, digits, '.', '_' and '-')"
              .formatted(name));
    }
  }

  private static TowlineException inUse(String message) {
    return new TowlineException(
        PolicyErrors.IN_USE, message, "change that first; see towline policies list");
  }
}
