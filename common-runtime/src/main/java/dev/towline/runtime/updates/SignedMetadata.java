package dev.towline.runtime.updates;

import dev.towline.runtime.json.JsonTrees;
import dev.towline.runtime.updates.UpdateRefused.Reason;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Metadata with its signatures, as a file of a repository holds it. Nothing in {@link #signed} may
 * be believed before {@link #verify} returned.
 */
public final class SignedMetadata {
  private final String what;
  private final JsonNode signed;
  private final byte[] canonical;
  private final List<Sig> signatures;

  private record Sig(String keyId, byte[] value) {}

  private SignedMetadata(String what, JsonNode signed, List<Sig> signatures) {
    this.what = what;
    this.signed = signed;
    this.canonical = CanonicalJson.encode(signed);
    this.signatures = signatures;
  }

  /**
   * @param what the name it has in messages
   */
  static SignedMetadata parse(byte[] bytes, String what) throws UpdateRefused {
    JsonNode root = MetadataJson.parse(bytes, what);
    List<Sig> signatures = new ArrayList<>();
    for (JsonNode signature : MetadataJson.array(root, "signatures", what)) {
      String value = MetadataJson.text(signature, "sig", what);
      try {
        signatures.add(
            new Sig(MetadataJson.text(signature, "keyid", what), HexFormat.of().parseHex(value)));
      } catch (IllegalArgumentException _) {
        throw MetadataJson.malformed(what, "a signature that is not hexadecimal");
      }
    }
    try {
      return new SignedMetadata(what, MetadataJson.object(root, "signed", what), signatures);
    } catch (IllegalArgumentException _) {
      throw MetadataJson.malformed(what, "no canonical form");
    }
  }

  /** The file with these signatures, sorted by key. */
  public static byte[] sign(ObjectNode signed, Collection<UpdateSigner> signers) {
    byte[] canonical = CanonicalJson.encode(signed);
    ObjectNode root = JsonTrees.newObject();
    ArrayNode signatures = root.putArray("signatures");
    signers.stream()
        .sorted(java.util.Comparator.comparing(signer -> signer.publicKey().id()))
        .forEach(signer ->
            signatures
                .addObject()
                .put("keyid", signer.publicKey().id())
                .put("sig", HexFormat.of().formatHex(signer.sign(canonical))));
    root.set("signed", signed);
    return JsonTrees.text(root).getBytes(StandardCharsets.UTF_8);
  }

  JsonNode signed() {
    return signed;
  }

  /** Which kind it claims to be. */
  void expectType(MetadataRole role) throws UpdateRefused {
    String type = MetadataJson.text(signed, "_type", what);
    if (!type.equals(role.label())) {
      throw new UpdateRefused(
          Reason.WRONG_TYPE,
          "%s: another kind of metadata (expected: %s)".formatted(what, role.label()));
    }
    String version = MetadataJson.text(signed, "spec_version", what);
    if (!version.startsWith("1.")) {
      throw MetadataJson.malformed(what, "spec_version is another than 1.x");
    }
  }

  /** Refuses what not enough keys of the role have signed; a key counts once. */
  void verify(RootMetadata root, MetadataRole role) throws UpdateRefused {
    RootMetadata.Keys keys = root.keys(role);
    Set<UpdateKey> counted = new HashSet<>();
    for (Sig signature : signatures) {
      UpdateKey key = keys.byId().get(signature.keyId());
      if (key != null && !counted.contains(key) && key.verify(canonical, signature.value())) {
        counted.add(key);
      }
    }
    if (counted.size() < keys.threshold()) {
      throw new UpdateRefused(
          Reason.TAMPERED,
          "%s: valid signatures by %d keys of role %s (expected: %d)"
              .formatted(what, counted.size(), role.label(), keys.threshold()));
    }
  }
}
