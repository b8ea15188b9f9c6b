package dev.towline.runtime.updates;

import dev.towline.runtime.json.JsonTrees;
import java.time.Instant;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** What the roles of a repository sign. */
public sealed interface Metadata
    permits RootMetadata, TargetsMetadata, SnapshotMetadata, TimestampMetadata {
  String SPEC_VERSION = "1.0.31";

  MetadataRole role();

  /** Grows with each change, from 1. */
  long version();

  /** From when on it is not to be believed any more. */
  Instant expires();

  /** What is signed. */
  ObjectNode json();

  /** The members that all kinds have. */
  static ObjectNode head(MetadataRole role, long version, Instant expires) {
    ObjectNode json = JsonTrees.newObject();
    json.put("_type", role.label());
    json.put("spec_version", SPEC_VERSION);
    json.put("version", version);
    json.put("expires", MetadataJson.time(expires));
    return json;
  }

  static long version(JsonNode signed, String what) throws UpdateRefused {
    return MetadataJson.number(signed, "version", 1, what);
  }

  static Instant expires(JsonNode signed, String what) throws UpdateRefused {
    return MetadataJson.time(signed, "expires", what);
  }
}
