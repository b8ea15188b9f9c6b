package dev.towline.manager.policies;

import dev.towline.manager.nodes.Node;
import dev.towline.manager.policies.PolicyStore.HostPolicy;
import dev.towline.manager.policies.PolicyTree.Effective;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.Role;
import dev.towline.proto.v1.SettingChange;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.firewall.FirewallDocument;
import dev.towline.runtime.firewall.FirewallPolicy;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.policy.EffectivePolicy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/** The levels as they shall be: changed at will, then checked, compared and saved as a whole. */
final class PolicyDraft {
  private static final int MOST_SHOWN = 1000;
  private static final int MOST_NAMED = 5;

  private final Catalogue catalogue;
  private final Tx tx;
  private final Map<String, Level> before = new HashMap<>();
  private final Map<String, Level> policies = new TreeMap<>();
  private final Map<String, Level> hosts = new TreeMap<>();
  private final Map<String, String> assigned = new LinkedHashMap<>();
  private final Map<String, HostPolicy> known = new LinkedHashMap<>();

  PolicyDraft(Catalogue catalogue, Tx tx) {
    this.catalogue = catalogue;
    this.tx = tx;
    for (Level level : tx.policies().levels()) {
      before.put(key(level), level);
      (level.kind() == Level.Kind.POLICY ? policies : hosts).put(level.name(), level);
    }
    policies.putIfAbsent(Level.BASE, Level.fresh(Level.Kind.POLICY, Level.BASE, ""));
    tx.policies().hosts().forEach(host -> known.put(host.id(), host));
  }

  /** By name; may be changed. */
  Map<String, Level> policies() {
    return policies;
  }

  void host(String id, UnaryOperator<Level> change) {
    Level own = hosts.get(id);
    Level level = own == null ? Level.fresh(Level.Kind.HOST, id, policyOf(id)) : own;
    Level changed = change.apply(level);
    if (own != null || !changed.sameAs(level)) {
      hosts.put(id, changed);
    }
  }

  void assign(String host, String policy) {
    if (!policyOf(host).equals(policy)) {
      assigned.put(host, policy);
      Level own = hosts.get(host);
      Level level = own == null ? Level.fresh(Level.Kind.HOST, host, policyOf(host)) : own;
      hosts.put(host, level.with(policy, level.description(), level.settings()));
    }
  }

  /**
   * @throws dev.towline.runtime.error.TowlineException when the policies are no tree below base, or
   *     rules of a firewall are wrong
   */
  void check() {
    List<String> problems = new ArrayList<>();
    PolicyTree after = after();
    for (Level level : policies.values()) {
      boolean base = level.name().equals(Level.BASE);
      if (base && !level.parent().isEmpty()) {
        problems.add("policy base: parent " + level.parent() + " (expected: none)");
      } else if (!base && !policies.containsKey(level.parent())) {
        problems.add("policy %s: parent %s does not exist".formatted(level.name(), level.parent()));
      } else if (!base && !after.isWithin(level.name(), Level.BASE)) {
        problems.add(
            "policy %s: parent %s is below it (expected: no circle)"
                .formatted(level.name(), level.parent()));
      }
    }
    if (problems.isEmpty()) {
      levels().forEach(level -> firewall(after, level).ifPresent(problems::add));
    }
    if (!problems.isEmpty()) {
      throw PolicyErrors.invalid(String.join("; ", problems));
    }
  }

  /** Rules may name lists of another level, so only the whole can be judged (F3). */
  private Optional<String> firewall(PolicyTree after, Level level) {
    boolean isHost = level.kind() == Level.Kind.HOST;
    try {
      var effective =
          isHost ? after.forHost(level.name(), level.parent()) : after.forHost("", level.name());
      FirewallPolicy.document(effective).ifPresent(FirewallDocument::parse);
      return Optional.empty();
    } catch (TowlineException e) {
      return Optional.of(subject(level) + ": " + e.getMessage());
    }
  }

  /**
   * A direction that can't work for a host is refused before anything is applied.
   *
   * @throws dev.towline.runtime.error.TowlineException that names such hosts, and why
   */
  void checkDirections(PolicyTree was) {
    PolicyTree after = after();
    List<String> problems = new ArrayList<>();
    for (HostPolicy host : known.values()) {
      boolean asked =
          isDialledOnly(after, host.id(), policyAfter(host))
              && !isDialledOnly(was, host.id(), host.policy());
      if (asked && after.value(host.id(), policyAfter(host), Catalogue.CALL_ADDRESS).isEmpty()) {
        tx.nodes()
            .find(host.id())
            .flatMap(PolicyDraft::inTheWay)
            .ifPresent(why -> problems.add("host " + host.name() + " is reached " + why));
      }
    }
    if (!problems.isEmpty()) {
      int more = problems.size() - Math.min(problems.size(), MOST_NAMED);
      throw new TowlineException(
          PolicyErrors.DIRECTION_REFUSED,
          "%s: %s (%s%s); the manager can't dial through it"
              .formatted(
                  EffectivePolicy.DIRECTION,
                  Direction.MANAGER_INITIATED.label(),
                  String.join("; ", problems.subList(0, problems.size() - more)),
                  more == 0 ? "" : "; and " + more + " more"),
          "leave these hosts with a direction in which they dial, for instance "
              + Direction.AGENT_INITIATED.label()
              + ", or set "
              + Catalogue.CALL_ADDRESS
              + " to where the manager reaches them directly");
    }
  }

  private static boolean isDialledOnly(PolicyTree tree, String host, String policy) {
    return tree.value(host, policy, EffectivePolicy.DIRECTION)
        .equals(Direction.MANAGER_INITIATED.label());
  }

  private static Optional<String> inTheWay(Node node) {
    return switch (node.path().getKind()) {
      case PROXY, RELAY, PROXY_AND_RELAY ->
          Optional.of(
              "through "
                  + node.path().getHopsList().stream()
                      .map(hop ->
                          (hop.getRole() == Role.ROLE_PROXY ? "proxy " : "relay ") + hop.getName())
                      .collect(Collectors.joining(" and ")));
      case DIRECT, KIND_UNSPECIFIED, UNRECOGNIZED -> Optional.empty();
    };
  }

  PolicyChange difference(PolicyTree was) {
    PolicyTree after = after();
    PolicyChange.Builder change = PolicyChange.newBuilder();
    for (Level level : levels()) {
      Optional<Level> old = Optional.ofNullable(before.get(key(level)));
      String subject = subject(level);
      if (old.isEmpty() && level.kind() == Level.Kind.POLICY && !level.name().equals(Level.BASE)) {
        change.addLevels(
            SettingChange.newBuilder().setSubject(subject).setAfter("below " + level.parent()));
      }
      change.addAllLevels(differences(subject, old.orElse(unchanged(level)), level));
    }
    before.values().stream()
        .filter(level -> level.kind() == Level.Kind.POLICY && !policies.containsKey(level.name()))
        .forEach(level ->
            change.addLevels(
                SettingChange.newBuilder()
                    .setSubject(subject(level))
                    .setBefore("below " + level.parent())));
    hosts(was, after, change);
    return change.build();
  }

  private void hosts(PolicyTree was, PolicyTree after, PolicyChange.Builder change) {
    Map<String, List<Effective>> cachedBefore = new HashMap<>();
    Map<String, List<Effective>> cachedAfter = new HashMap<>();
    int changed = 0;
    int toTell = 0;
    for (HostPolicy host : known.values()) {
      List<Effective> old = effective(was, host.id(), host.policy(), cachedBefore);
      List<Effective> now = effective(after, host.id(), policyAfter(host), cachedAfter);
      boolean any = false;
      boolean tell = false;
      for (int i = 0; i < now.size(); i++) {
        Effective a = old.get(i);
        Effective b = now.get(i);
        // A value that equals the default travels when a level gives it.
        boolean given = a.level().equals("default") != b.level().equals("default");
        tell |= b.setting().onHost() && (given || !a.value().equals(b.value()));
        if (!a.value().equals(b.value())) {
          any = true;
          if (changed < MOST_SHOWN) {
            change.addHosts(
                SettingChange.newBuilder()
                    .setSubject("host " + host.name())
                    .setSetting(b.setting().name())
                    .setBefore(Setting.shown(b.setting().name(), a.value()))
                    .setAfter(Setting.shown(b.setting().name(), b.value())));
          }
        }
      }
      changed += any ? 1 : 0;
      toTell += tell ? 1 : 0;
    }
    change.setHostsChanged(changed).setHostsToTell(toTell);
  }

  private static List<Effective> effective(
      PolicyTree tree, String host, String policy, Map<String, List<Effective>> cached) {
    return tree.host(host).isPresent()
        ? tree.effective(host, policy)
        : cached.computeIfAbsent(tree.counting(policy), name -> tree.effective("", name));
  }

  /** False when nothing is different. */
  boolean save(String author, long nowMs) {
    boolean any = false;
    for (Level level : levels()) {
      Level old = before.get(key(level));
      if (old != null && old.sameAs(level)) {
        continue;
      }
      if (old == null && level.name().equals(Level.BASE) && level.sameAs(unchanged(level))) {
        continue;
      }
      any = true;
      String change =
          String.join(
              "; ",
              differences("", old == null ? unchanged(level) : old, level).stream()
                  .map(PolicyDraft::text)
                  .toList());
      tx.policies()
          .save(
              new Level(
                  level.kind(),
                  level.name(),
                  level.parent(),
                  level.description(),
                  level.settings(),
                  tx.policies().lastVersion(level.kind(), level.name()) + 1,
                  nowMs,
                  author,
                  change.isEmpty() ? "created" : change));
    }
    for (Level level : before.values()) {
      if (level.kind() == Level.Kind.POLICY && !policies.containsKey(level.name())) {
        tx.policies().delete(level.kind(), level.name());
        any = true;
      }
    }
    assigned.forEach((host, policy) -> tx.policies().assign(host, policy));
    return any || !assigned.isEmpty();
  }

  private PolicyTree after() {
    return new PolicyTree(catalogue, levels());
  }

  private List<Level> levels() {
    List<Level> levels = new ArrayList<>(policies.values());
    levels.addAll(hosts.values());
    return levels;
  }

  private String policyOf(String host) {
    HostPolicy found = known.get(host);
    return assigned.getOrDefault(host, found == null ? "" : found.policy());
  }

  private String policyAfter(HostPolicy host) {
    return assigned.getOrDefault(host.id(), host.policy());
  }

  /** What the level was when nobody had said anything about it. */
  private Level unchanged(Level level) {
    HostPolicy host = level.kind() == Level.Kind.HOST ? known.get(level.name()) : null;
    return Level.fresh(level.kind(), level.name(), host == null ? level.parent() : host.policy());
  }

  private String subject(Level level) {
    HostPolicy host = known.get(level.name());
    return level.kind() == Level.Kind.HOST
        ? "host " + (host == null ? level.name() : host.name())
        : "policy " + level.name();
  }

  private static List<SettingChange> differences(String subject, Level old, Level now) {
    List<SettingChange> changes = new ArrayList<>();
    String above = now.kind() == Level.Kind.HOST ? "policy" : "parent";
    compare(changes, subject, above, old.parent(), now.parent());
    compare(changes, subject, "description", old.description(), now.description());
    var names = new TreeSet<>(old.settings().keySet());
    names.addAll(now.settings().keySet());
    for (String name : names) {
      compare(
          changes,
          subject,
          name,
          old.settings().getOrDefault(name, ""),
          now.settings().getOrDefault(name, ""));
    }
    return changes;
  }

  private static void compare(
      List<SettingChange> changes, String subject, String name, String before, String after) {
    if (!before.equals(after)) {
      changes.add(
          SettingChange.newBuilder()
              .setSubject(subject)
              .setSetting(name)
              .setBefore(Setting.shown(name, before))
              .setAfter(Setting.shown(name, after))
              .build());
    }
  }

  private static String text(SettingChange change) {
    return "%s: %s -> %s"
        .formatted(
            change.getSetting(),
            change.getBefore().isEmpty() ? Catalogue.INHERITED : change.getBefore(),
            change.getAfter().isEmpty() ? Catalogue.INHERITED : change.getAfter());
  }

  private static String key(Level level) {
    return level.kind() + " " + level.name();
  }
}
