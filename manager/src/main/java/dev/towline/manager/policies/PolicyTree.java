package dev.towline.manager.policies;

import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.policy.UpdatePolicy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** All levels at one moment, and what follows from them for a host. Immutable. */
public final class PolicyTree {
  private final Catalogue catalogue;
  private final Map<String, Level> policies = new HashMap<>();
  private final Map<String, Level> hosts = new HashMap<>();

  public PolicyTree(Catalogue catalogue, Collection<Level> levels) {
    this.catalogue = catalogue;
    for (Level level : levels) {
      (level.kind() == Level.Kind.POLICY ? policies : hosts).put(level.name(), level);
    }
    policies.putIfAbsent(Level.BASE, Level.fresh(Level.Kind.POLICY, Level.BASE, ""));
  }

  /** Where a value comes from: {@code host}, {@code policy NAME} or {@code default}. */
  public record Effective(Setting setting, String value, String level) {}

  public Optional<Level> policy(String name) {
    return Optional.ofNullable(policies.get(name));
  }

  public Optional<Level> host(String id) {
    return Optional.ofNullable(hosts.get(id));
  }

  /** In order of name, base first. */
  public List<Level> policies() {
    return policies.values().stream()
        .sorted((a, b) -> {
          boolean aBase = a.name().equals(Level.BASE);
          boolean bBase = b.name().equals(Level.BASE);
          return aBase == bBase ? a.name().compareTo(b.name()) : aBase ? -1 : 1;
        })
        .toList();
  }

  public List<Level> hosts() {
    return List.copyOf(hosts.values());
  }

  /** The policy that counts for a host to which this name was given: base when it names none. */
  public String counting(String policy) {
    return policies.containsKey(policy) ? policy : Level.BASE;
  }

  /** Whether the policy is this one or below it. */
  boolean isWithin(String policy, String above) {
    return chain(policy).stream().anyMatch(level -> level.name().equals(above));
  }

  /**
   * @param host id; one without settings of its own has those of its policy
   */
  public List<Effective> effective(String host, String policy) {
    List<Level> levels = new ArrayList<>();
    host(host).ifPresent(levels::add);
    levels.addAll(chain(counting(policy)));
    List<Effective> all = new ArrayList<>();
    for (Setting setting : catalogue.settings()) {
      all.add(
          levels.stream()
              .filter(level -> level.settings().containsKey(setting.name()))
              .findFirst()
              .map(level ->
                  new Effective(
                      setting,
                      level.settings().getOrDefault(setting.name(), setting.standard()),
                      level.kind() == Level.Kind.HOST ? "host" : "policy " + level.name()))
              .orElseGet(() -> new Effective(setting, setting.standard(), "default")));
    }
    return all;
  }

  /** One value. */
  public String value(String host, String policy, String setting) {
    Level own = hosts.get(host);
    if (own != null) {
      String value = own.settings().get(setting);
      if (value != null) {
        return value;
      }
    }
    for (Level level : chain(counting(policy))) {
      String value = level.settings().get(setting);
      if (value != null) {
        return value;
      }
    }
    return catalogue.find(setting).orElseThrow().standard();
  }

  /** What travels to the host: values that some level gives, of settings that hosts go by. */
  public EffectivePolicy forHost(String host, String policy) {
    Map<String, String> settings = new TreeMap<>();
    for (Effective effective : effective(host, policy)) {
      if (effective.setting().onHost() && !effective.level().equals("default")) {
        settings.put(effective.setting().name(), effective.value());
      }
    }
    if (settings.containsKey(UpdatePolicy.COMPONENTS)) {
      // A host has to know whom it may believe, whoever says so.
      String root = value(host, policy, UpdatePolicy.ROOT);
      if (!root.isEmpty()) {
        settings.put(UpdatePolicy.ROOT, root);
      }
    }
    return new EffectivePolicy(settings);
  }

  /** From the policy up to base. */
  private List<Level> chain(String policy) {
    List<Level> chain = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    String name = policy;
    while (!name.isEmpty() && seen.add(name)) {
      Level level = policies.get(name);
      if (level == null) {
        break;
      }
      chain.add(level);
      name = level.parent();
    }
    return chain;
  }
}
