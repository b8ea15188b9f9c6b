package dev.towline.runtime.updates;

import java.time.Instant;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Which list of targets belongs to a publication. */
public record SnapshotMetadata(long version, Instant expires, MetadataFile targets)
    implements Metadata {
  @Override
  public MetadataRole role() {
    return MetadataRole.SNAPSHOT;
  }

  static SnapshotMetadata parse(SignedMetadata metadata, String what) throws UpdateRefused {
    metadata.expectType(MetadataRole.SNAPSHOT);
    JsonNode signed = metadata.signed();
    return new SnapshotMetadata(
        Metadata.version(signed, what),
        Metadata.expires(signed, what),
        MetadataFile.parse(signed, MetadataRole.TARGETS, what));
  }

  @Override
  public ObjectNode json() {
    ObjectNode json = Metadata.head(MetadataRole.SNAPSHOT, version, expires);
    targets.describe(json, MetadataRole.TARGETS);
    return json;
  }
}
