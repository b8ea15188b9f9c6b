package dev.towline.manager.policies;

import dev.towline.runtime.firewall.FirewallPolicy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** Policies as one YAML document. */
final class PolicyYaml {
  private static final YAMLMapper YAML = YAMLMapper.builder().build();

  /** Settings whose values are YAML themselves. */
  private static final Set<String> TREES = Set.of(FirewallPolicy.LISTS, FirewallPolicy.RULES);

  private PolicyYaml() {}

  /**
   * @param hosts by name or id
   */
  record Document(Map<String, PolicyPart> policies, Map<String, HostPart> hosts) {}

  /**
   * @param parent empty when the document does not say
   */
  record PolicyPart(
      Optional<String> parent, Optional<String> description, Map<String, String> settings) {}

  /**
   * @param policy empty when the document does not say
   */
  record HostPart(Optional<String> policy, Map<String, String> settings) {}

  /**
   * @throws dev.towline.runtime.error.TowlineException that names everything which is wrong
   */
  static Document parse(String text) {
    JsonNode root;
    try {
      root = YAML.readTree(text);
    } catch (JacksonException e) {
      throw PolicyErrors.invalid("policy document: no YAML (" + e.getOriginalMessage() + ")");
    }
    List<String> problems = new ArrayList<>();
    Map<String, PolicyPart> policies = new LinkedHashMap<>();
    Map<String, HostPart> hosts = new LinkedHashMap<>();
    if (root == null || !root.isObject()) {
      throw PolicyErrors.invalid("policy document: no map (expected: policies, hosts)");
    }
    keys("policy document", root, Set.of("policies", "hosts"), problems);
    entries("policies", root.path("policies"), problems)
        .forEach((name, node) -> {
          String where = "policies." + name;
          keys(where, node, Set.of("parent", "description", "settings"), problems);
          policies.put(
              name,
              new PolicyPart(
                  text(where + ".parent", node.path("parent"), problems),
                  text(where + ".description", node.path("description"), problems),
                  settings(where + ".settings", node.path("settings"), problems)));
        });
    entries("hosts", root.path("hosts"), problems)
        .forEach((name, node) -> {
          String where = "hosts." + name;
          keys(where, node, Set.of("policy", "settings"), problems);
          hosts.put(
              name,
              new HostPart(
                  text(where + ".policy", node.path("policy"), problems),
                  settings(where + ".settings", node.path("settings"), problems)));
        });
    if (!problems.isEmpty()) {
      throw PolicyErrors.invalid(String.join("; ", problems));
    }
    return new Document(policies, hosts);
  }

  /**
   * @param hostNames by id, for hosts with settings or a policy of their own
   * @param hostPolicies by id
   */
  static String print(
      PolicyTree tree, Map<String, String> hostNames, Map<String, String> hostPolicies) {
    ObjectNode root = YAML.createObjectNode();
    ObjectNode policies = root.putObject("policies");
    for (Level level : tree.policies()) {
      ObjectNode node = policies.putObject(level.name());
      if (!level.parent().isEmpty()) {
        node.put("parent", level.parent());
      }
      if (!level.description().isEmpty()) {
        node.put("description", level.description());
      }
      settings(node, level);
    }
    ObjectNode hosts = root.putObject("hosts");
    hostNames.forEach((id, name) -> {
      ObjectNode node = hosts.putObject(name);
      node.put("policy", tree.counting(hostPolicies.getOrDefault(id, "")));
      tree.host(id).ifPresent(level -> settings(node, level));
    });
    return YAML.writeValueAsString(root);
  }

  private static void settings(ObjectNode node, Level level) {
    if (!level.settings().isEmpty()) {
      ObjectNode settings = node.putObject("settings");
      level
          .settings()
          .forEach((name, value) ->
              Setting.Tree.shown(value)
                  .ifPresentOrElse(
                      tree -> settings.set(name, tree),
                      () -> settings.put(name, Setting.shown(name, value))));
    }
  }

  private static void keys(
      String where, JsonNode node, Set<String> expected, List<String> problems) {
    node.propertyNames().stream()
        .filter(key -> !expected.contains(key))
        .forEach(key ->
            problems.add(
                "%s: unknown key %s (expected: %s)"
                    .formatted(
                        where, key, String.join(", ", expected.stream().sorted().toList()))));
  }

  private static Map<String, JsonNode> entries(String where, JsonNode node, List<String> problems) {
    Map<String, JsonNode> entries = new LinkedHashMap<>();
    if (node.isObject()) {
      node.properties()
          .forEach(entry -> {
            if (entry.getValue().isObject() || entry.getValue().isNull()) {
              entries.put(entry.getKey(), entry.getValue());
            } else {
              problems.add(where + "." + entry.getKey() + ": no map");
            }
          });
    } else if (!node.isMissingNode() && !node.isNull()) {
      problems.add(where + ": no map");
    }
    return entries;
  }

  private static Optional<String> text(String where, JsonNode node, List<String> problems) {
    if (node.isMissingNode() || node.isNull()) {
      return Optional.empty();
    }
    if (!node.isValueNode()) {
      problems.add(where + ": no text");
      return Optional.empty();
    }
    return Optional.of(node.asString());
  }

  private static Map<String, String> settings(String where, JsonNode node, List<String> problems) {
    Map<String, String> settings = new TreeMap<>();
    if (node.isObject()) {
      node.properties()
          .forEach(entry ->
              settings.put(
                  entry.getKey(),
                  // A key without a value says the same as the word.
                  entry.getValue().isNull()
                      ? Catalogue.INHERITED
                      : entry.getValue().isContainer() && TREES.contains(entry.getKey())
                          ? entry.getValue().toString()
                          : text(where + "." + entry.getKey(), entry.getValue(), problems)
                              .orElse("")));
    } else if (!node.isMissingNode() && !node.isNull()) {
      problems.add(where + ": no map");
    }
    return settings;
  }
}
