package dev.towline.runtime.updates;

import dev.towline.runtime.updates.UpdateRefused.Reason;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A root on its way to being published: it goes to where the keys are, gets their signatures there,
 * and comes back. It holds no secret.
 */
public final class RootFile {
  private static final String WHAT = "root";

  private RootFile() {}

  /** What it says; whether that is signed is another question. */
  public static RootMetadata read(byte[] file) throws UpdateRefused {
    return RootMetadata.parse(SignedMetadata.parse(file, WHAT), WHAT);
  }

  /** The file with one more signature. */
  public static byte[] sign(byte[] file, UpdateSigner signer) throws UpdateRefused {
    JsonNode signed = read(MetadataJson.parse(file, WHAT));
    ObjectNode root = (ObjectNode) MetadataJson.parse(file, WHAT);
    ArrayNode signatures = (ArrayNode) MetadataJson.array(root, "signatures", WHAT);
    String id = signer.publicKey().id();
    for (JsonNode signature : signatures) {
      if (signature.path("keyid").asString("").equals(id)) {
        return file;
      }
    }
    signatures
        .addObject()
        .put("keyid", id)
        .put("sig", HexFormat.of().formatHex(signer.sign(CanonicalJson.encode(signed))));
    return dev.towline.runtime.json.JsonTrees.text(root).getBytes(StandardCharsets.UTF_8);
  }

  /** The signatures of two copies of the same root together. */
  public static byte[] merge(byte[] file, byte[] other) throws UpdateRefused {
    ObjectNode root = (ObjectNode) MetadataJson.parse(file, WHAT);
    JsonNode added = MetadataJson.parse(other, WHAT);
    if (!Arrays.equals(CanonicalJson.encode(read(root)), CanonicalJson.encode(read(added)))) {
      throw new UpdateRefused(Reason.MIXED, "the signatures are those of another root");
    }
    ArrayNode signatures = (ArrayNode) MetadataJson.array(root, "signatures", WHAT);
    Set<String> known = new HashSet<>();
    signatures.forEach(signature -> known.add(signature.path("keyid").asString("")));
    for (JsonNode signature : MetadataJson.array(added, "signatures", WHAT)) {
      if (known.add(signature.path("keyid").asString(""))) {
        signatures.add(signature);
      }
    }
    return dev.towline.runtime.json.JsonTrees.text(root).getBytes(StandardCharsets.UTF_8);
  }

  /** Refuses what clients that trust the previous root would refuse. */
  public static void check(byte[] file, RootMetadata previous) throws UpdateRefused {
    SignedMetadata metadata = SignedMetadata.parse(file, WHAT);
    RootMetadata root = RootMetadata.parse(metadata, WHAT);
    metadata.verify(previous, MetadataRole.ROOT);
    metadata.verify(root, MetadataRole.ROOT);
    if (root.version() != previous.version() + 1) {
      throw new UpdateRefused(
          Reason.MIXED,
          "root: version %d (expected: %d)".formatted(root.version(), previous.version() + 1));
    }
  }

  private static JsonNode read(JsonNode root) throws UpdateRefused {
    return MetadataJson.object(root, "signed", WHAT);
  }
}
