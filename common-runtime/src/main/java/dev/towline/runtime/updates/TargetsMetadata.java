package dev.towline.runtime.updates;

import dev.towline.runtime.json.JsonTrees;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a repository offers: for each version of a component the list of its files ({@link
 * Manifest}), by length and hash.
 *
 * @param releases in order of component and number
 */
public record TargetsMetadata(long version, Instant expires, List<Release> releases)
    implements Metadata {
  public TargetsMetadata {
    releases = List.copyOf(releases);
  }

  @Override
  public MetadataRole role() {
    return MetadataRole.TARGETS;
  }

  /** The version of a component that hosts shall have. */
  public Optional<Release> current(String component) {
    return releases.stream()
        .filter(release -> release.component().equals(component) && release.current())
        .findFirst();
  }

  public Optional<Release> find(String component, String version) {
    return releases.stream()
        .filter(
            release -> release.component().equals(component) && release.version().equals(version))
        .findFirst();
  }

  static TargetsMetadata parse(SignedMetadata metadata, String what) throws UpdateRefused {
    metadata.expectType(MetadataRole.TARGETS);
    JsonNode signed = metadata.signed();
    Map<String, JsonNode> targets = new TreeMap<>();
    MetadataJson.object(signed, "targets", what)
        .properties()
        .forEach(entry -> targets.put(entry.getKey(), entry.getValue()));
    List<Release> releases = new ArrayList<>();
    for (Map.Entry<String, JsonNode> target : targets.entrySet()) {
      Release.parse(target.getKey(), target.getValue(), what).ifPresent(releases::add);
    }
    Collections.sort(releases);
    for (int i = 1; i < releases.size(); i++) {
      Release before = releases.get(i - 1);
      Release release = releases.get(i);
      if (before.component().equals(release.component())
          && (before.number() == release.number() || (before.current() && release.current()))) {
        throw MetadataJson.malformed(
            what, "component " + release.component() + " with two versions in one place");
      }
    }
    return new TargetsMetadata(
        Metadata.version(signed, what), Metadata.expires(signed, what), releases);
  }

  @Override
  public ObjectNode json() {
    ObjectNode json = Metadata.head(MetadataRole.TARGETS, version, expires);
    ObjectNode targets = JsonTrees.newObject();
    releases.forEach(release -> targets.set(release.target(), release.json()));
    json.set("targets", targets);
    return json;
  }
}
