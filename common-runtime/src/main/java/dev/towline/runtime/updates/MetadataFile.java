package dev.towline.runtime.updates;

import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.updates.UpdateRefused.Reason;
import java.util.HexFormat;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Which metadata file of another role belongs to a publication. */
public record MetadataFile(long version, long length, String sha256) {

  public static MetadataFile of(long version, byte[] content) {
    return new MetadataFile(version, content.length, sha256(content));
  }

  static MetadataFile parse(JsonNode signed, MetadataRole role, String what) throws UpdateRefused {
    JsonNode entry =
        MetadataJson.object(
            MetadataJson.object(signed, "meta", what), role.label() + ".json", what);
    return new MetadataFile(
        MetadataJson.number(entry, "version", 1, what),
        MetadataJson.number(entry, "length", 1, what),
        MetadataJson.sha256(entry, what));
  }

  void describe(ObjectNode signed, MetadataRole role) {
    ObjectNode entry = signed.putObject("meta").putObject(role.label() + ".json");
    entry.put("version", version);
    entry.put("length", length);
    entry.putObject("hashes").put("sha256", sha256);
  }

  /** Refuses what was cut short or goes on. */
  void checkLength(byte[] content, String what) throws UpdateRefused {
    if (content.length < length) {
      throw new UpdateRefused(
          Reason.TRUNCATED, "%s: %d bytes (expected: %d)".formatted(what, content.length, length));
    }
    if (content.length > length) {
      throw new UpdateRefused(
          Reason.OVERSIZED, "%s: more than the %d bytes announced".formatted(what, length));
    }
  }

  /** Refuses a file of another publication, after its signatures were found to be right. */
  void checkHash(byte[] content, String what) throws UpdateRefused {
    if (!sha256(content).equals(sha256)) {
      throw new UpdateRefused(
          Reason.MIXED, what + ": another file than the one of this publication");
    }
  }

  private static String sha256(byte[] content) {
    return HexFormat.of().formatHex(Fingerprints.sha256(content));
  }
}
