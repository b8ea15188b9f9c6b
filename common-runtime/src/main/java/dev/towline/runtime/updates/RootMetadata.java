package dev.towline.runtime.updates;

import dev.towline.runtime.json.JsonTrees;
import java.time.Instant;
import java.util.Collection;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Which keys may sign for which role, and how many of them have to. Always consistent snapshots.
 */
public record RootMetadata(long version, Instant expires, Map<MetadataRole, Keys> roles)
    implements Metadata {
  public RootMetadata {
    roles = Map.copyOf(roles);
    if (roles.size() != MetadataRole.values().length) {
      throw new IllegalArgumentException("roles: " + roles.keySet() + " (expected: all)");
    }
  }

  /** The keys of a role by their names, and how many different ones of them have to sign. */
  public record Keys(Map<String, UpdateKey> byId, int threshold) {
    public Keys {
      byId = Map.copyOf(byId);
      if (threshold < 1) {
        throw new IllegalArgumentException("threshold: " + threshold + " (expected: 1 or more)");
      }
    }

    public static Keys of(Collection<UpdateKey> keys, int threshold) {
      Map<String, UpdateKey> byId = new TreeMap<>();
      keys.forEach(key -> byId.put(key.id(), key));
      return new Keys(byId, threshold);
    }
  }

  @Override
  public MetadataRole role() {
    return MetadataRole.ROOT;
  }

  public Keys keys(MetadataRole role) {
    return java.util.Objects.requireNonNull(roles.get(role));
  }

  static RootMetadata parse(SignedMetadata metadata, String what) throws UpdateRefused {
    metadata.expectType(MetadataRole.ROOT);
    JsonNode signed = metadata.signed();
    if (!MetadataJson.flag(signed, "consistent_snapshot", what)) {
      throw MetadataJson.malformed(what, "no consistent snapshots");
    }
    Map<String, UpdateKey> keys = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> key : MetadataJson.object(signed, "keys", what).properties()) {
      keys.put(key.getKey(), UpdateKey.parse(key.getValue(), what));
    }
    JsonNode listed = MetadataJson.object(signed, "roles", what);
    Map<MetadataRole, Keys> roles = new EnumMap<>(MetadataRole.class);
    for (MetadataRole role : MetadataRole.values()) {
      JsonNode entry = MetadataJson.object(listed, role.label(), what);
      long threshold = MetadataJson.number(entry, "threshold", 1, what);
      Map<String, UpdateKey> ofRole = new LinkedHashMap<>();
      for (JsonNode id : MetadataJson.array(entry, "keyids", what)) {
        UpdateKey key = keys.get(MetadataJson.text(id, what));
        if (key == null) {
          throw MetadataJson.malformed(what, "a role with a key that is not there");
        }
        ofRole.put(id.stringValue(), key);
      }
      if (threshold > ofRole.size()) {
        throw MetadataJson.malformed(what, "a threshold that its keys can't reach");
      }
      roles.put(role, new Keys(ofRole, (int) threshold));
    }
    return new RootMetadata(Metadata.version(signed, what), Metadata.expires(signed, what), roles);
  }

  @Override
  public ObjectNode json() {
    ObjectNode json = Metadata.head(MetadataRole.ROOT, version, expires);
    json.put("consistent_snapshot", true);
    ObjectNode keys = JsonTrees.newObject();
    ObjectNode listed = JsonTrees.newObject();
    for (MetadataRole role : MetadataRole.values()) {
      Keys ofRole = keys(role);
      ObjectNode entry = listed.putObject(role.label());
      entry.put("threshold", ofRole.threshold());
      ArrayNode ids = entry.putArray("keyids");
      new TreeMap<>(ofRole.byId())
          .forEach((id, key) -> {
            ids.add(id);
            keys.set(id, key.json());
          });
    }
    json.set("keys", keys);
    json.set("roles", listed);
    return json;
  }
}
