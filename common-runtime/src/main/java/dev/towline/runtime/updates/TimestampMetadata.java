package dev.towline.runtime.updates;

import java.time.Instant;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Which publication is the present one. Signed anew every day, so that nobody can hide a new one.
 */
public record TimestampMetadata(long version, Instant expires, MetadataFile snapshot)
    implements Metadata {
  @Override
  public MetadataRole role() {
    return MetadataRole.TIMESTAMP;
  }

  /** One that the root's keys signed, whatever its date. */
  public static TimestampMetadata read(byte[] file, RootMetadata root) throws UpdateRefused {
    SignedMetadata metadata = SignedMetadata.parse(file, "timestamp");
    metadata.verify(root, MetadataRole.TIMESTAMP);
    return parse(metadata, "timestamp");
  }

  static TimestampMetadata parse(SignedMetadata metadata, String what) throws UpdateRefused {
    metadata.expectType(MetadataRole.TIMESTAMP);
    JsonNode signed = metadata.signed();
    return new TimestampMetadata(
        Metadata.version(signed, what),
        Metadata.expires(signed, what),
        MetadataFile.parse(signed, MetadataRole.SNAPSHOT, what));
  }

  @Override
  public ObjectNode json() {
    ObjectNode json = Metadata.head(MetadataRole.TIMESTAMP, version, expires);
    snapshot.describe(json, MetadataRole.SNAPSHOT);
    return json;
  }
}
