package dev.towline.manager.relays;

import dev.towline.manager.relays.RelayStore.Pair;
import dev.towline.manager.store.Tx;
import dev.towline.runtime.error.TowlineException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.TreeSet;

/** The whole child list of a parent at once (R2): what is not on it is its child no longer. */
final class ChildLists {
  private ChildLists() {}

  /**
   * @param affected everyone who has to be told, in order: children that are left first, because
   *     what they hear may come through this parent
   */
  record Change(List<String> affected) {}

  /**
   * @throws TowlineException that names everything which is wrong with the list; nothing changes
   *     then
   */
  static Change set(Tx tx, RelayRecord found, List<String> names) {
    RelayRecord parent = found.asParent();
    Map<String, RelayRecord> wanted = new LinkedHashMap<>();
    TreeSet<String> problems = new TreeSet<>();
    for (String name : names) {
      Optional<RelayRecord> child =
          tx.relays().named(name.strip()).or(() -> tx.relays().find(name.strip()));
      Optional<String> problem = problem(tx, parent, name.strip(), child);
      problem.ifPresent(problems::add);
      child.ifPresent(known -> wanted.put(known.id(), known));
    }
    if (!problems.isEmpty()) {
      throw Relays.invalid(
          "child list of %s: %s".formatted(parent.name(), String.join("; ", problems)));
    }
    if (wanted.isEmpty()) {
      throw Relays.invalid(
          "child list of " + parent.name() + ": empty (expected: at least one child)");
    }
    tx.relays().save(parent);
    SequencedSet<String> affected = new LinkedHashSet<>();
    List<Pair> before = tx.relays().pairsOfParent(parent.id());
    for (Pair pair : before) {
      if (!wanted.containsKey(pair.childId())) {
        tx.relays().unpair(parent.id(), pair.childId());
        affected.add(pair.childId());
      }
    }
    List<String> added = new ArrayList<>();
    for (RelayRecord child : wanted.values()) {
      if (before.stream().noneMatch(pair -> pair.childId().equals(child.id()))) {
        tx.relays().pair(parent.id(), child.id(), key(tx, child).orElseThrow());
        added.add(child.id());
      }
    }
    if (affected.isEmpty() && added.isEmpty()) {
      return new Change(List.of());
    }
    affected.add(parent.id());
    affected.addAll(added);
    return new Change(List.copyOf(affected));
  }

  private static Optional<String> problem(
      Tx tx, RelayRecord parent, String name, Optional<RelayRecord> child) {
    String remedy =
        "pair it first: towline relays pair --parent %s --child %s --downstream HOST"
            .formatted(parent.name(), name);
    if (name.isEmpty()) {
      return Optional.of("an empty name (expected: at least one child)");
    }
    if (child.isEmpty()) {
      return Optional.of("%s is no relay; %s".formatted(name, remedy));
    }
    RelayRecord known = child.get();
    if (known.id().equals(parent.id())) {
      return Optional.of("%s (expected: another relay than the parent)".formatted(name));
    }
    if (!known.child()) {
      return Optional.of(
          "%s is no child yet, its address is not known; %s".formatted(name, remedy));
    }
    if (Relays.isAbove(tx, known.id(), parent.id())) {
      return Optional.of(
          "%s is above %s already (expected: a chain without a circle)"
              .formatted(name, parent.name()));
    }
    if (key(tx, known).isEmpty()) {
      return Optional.of("%s is not registered and has no command; %s".formatted(name, remedy));
    }
    return Optional.empty();
  }

  /** None that is needed when it is registered, else the one of the command that it has. */
  private static Optional<byte[]> key(Tx tx, RelayRecord child) {
    return Relays.isRegistered(tx, child.id())
        ? Optional.of(new byte[0])
        : tx.relays().pairs().stream()
            .filter(pair -> pair.childId().equals(child.id()) && pair.pairingKey().length > 0)
            .map(Pair::pairingKey)
            .findFirst();
  }
}
