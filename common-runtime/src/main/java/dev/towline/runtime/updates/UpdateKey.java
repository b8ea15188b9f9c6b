package dev.towline.runtime.updates;

import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.json.JsonTrees;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.X509EncodedKeySpec;
import java.util.HexFormat;
import java.util.Objects;
import org.bouncycastle.asn1.edec.EdECObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemReader;
import org.bouncycastle.util.io.pem.PemWriter;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The public half of a key that signs metadata: Ed25519, or ECDSA over P-256 with SHA-256. */
public final class UpdateKey {
  static final String ED25519 = "ed25519";
  static final String ECDSA = "ecdsa";
  static final String ECDSA_SCHEME = "ecdsa-sha2-nistp256";

  private static final int RAW_ED25519 = 32;
  private static final int P256_BITS = 256;

  private final PublicKey key;
  private final ObjectNode json;

  private UpdateKey(PublicKey key, ObjectNode json) {
    this.key = key;
    this.json = json;
  }

  /**
   * @throws IllegalArgumentException when it is a key of another kind
   */
  static UpdateKey of(PublicKey key) {
    ObjectNode json = JsonTrees.newObject();
    if (isEdwards(key)) {
      json.put("keytype", ED25519);
      json.put("scheme", ED25519);
      byte[] encoded = key.getEncoded();
      json.putObject("keyval")
          .put(
              "public",
              HexFormat.of().formatHex(encoded, encoded.length - RAW_ED25519, encoded.length));
    } else if (isP256(key)) {
      json.put("keytype", ECDSA);
      json.put("scheme", ECDSA_SCHEME);
      json.putObject("keyval").put("public", pem(key));
    } else {
      throw new IllegalArgumentException(
          "key: " + key.getAlgorithm() + " (expected: Ed25519, or EC over P-256)");
    }
    return new UpdateKey(key, json);
  }

  /** As root metadata lists it. */
  static UpdateKey parse(JsonNode json, String what) throws UpdateRefused {
    String type = MetadataJson.text(json, "keytype", what);
    String scheme = MetadataJson.text(json, "scheme", what);
    String value = MetadataJson.text(MetadataJson.object(json, "keyval", what), "public", what);
    try {
      PublicKey key =
          switch (type + " " + scheme) {
            case ED25519 + " " + ED25519 -> ed25519(value);
            case ECDSA + " " + ECDSA_SCHEME, ECDSA_SCHEME + " " + ECDSA_SCHEME -> p256(value);
            default -> throw MetadataJson.malformed(what, "unknown kind of key");
          };
      return new UpdateKey(key, (ObjectNode) json);
    } catch (GeneralSecurityException | IOException | IllegalArgumentException _) {
      throw MetadataJson.malformed(what, "a key that can't be read");
    }
  }

  /**
   * A key as {@link #text} shows it.
   *
   * @throws UpdateRefused when it is none
   */
  public static UpdateKey ofText(String text) throws UpdateRefused {
    return parse(
        MetadataJson.parse(text.getBytes(StandardCharsets.UTF_8), "public key"), "public key");
  }

  /** On one line, as metadata lists it. */
  public String text() {
    return new String(CanonicalJson.encode(json), StandardCharsets.UTF_8);
  }

  /** SHA-256 of the canonical form. */
  public String id() {
    return HexFormat.of().formatHex(Fingerprints.sha256(CanonicalJson.encode(json)));
  }

  boolean verify(byte[] data, byte[] signature) {
    try {
      Signature check = Signature.getInstance(isEdwards(key) ? "Ed25519" : "SHA256withECDSA");
      check.initVerify(key);
      check.update(data);
      return check.verify(signature);
    } catch (GeneralSecurityException _) {
      return false;
    }
  }

  ObjectNode json() {
    return json;
  }

  /** The same key, whatever it is called. */
  @Override
  public boolean equals(Object other) {
    return other instanceof UpdateKey that && key.equals(that.key);
  }

  @Override
  public int hashCode() {
    return Objects.hash(key);
  }

  @Override
  public String toString() {
    return id();
  }

  private static boolean isEdwards(PublicKey key) {
    return "EdDSA".equals(key.getAlgorithm()) || "Ed25519".equals(key.getAlgorithm());
  }

  private static boolean isP256(PublicKey key) {
    return key instanceof ECPublicKey ec
        && ec.getParams().getCurve().getField().getFieldSize() == P256_BITS;
  }

  private static PublicKey ed25519(String hex) throws GeneralSecurityException, IOException {
    byte[] raw = HexFormat.of().parseHex(hex);
    if (raw.length != RAW_ED25519) {
      throw new IllegalArgumentException("not " + RAW_ED25519 + " bytes");
    }
    var info =
        new SubjectPublicKeyInfo(new AlgorithmIdentifier(EdECObjectIdentifiers.id_Ed25519), raw);
    return KeyFactory.getInstance("Ed25519")
        .generatePublic(new X509EncodedKeySpec(info.getEncoded()));
  }

  private static PublicKey p256(String pem) throws GeneralSecurityException, IOException {
    byte[] ascii = pem.getBytes(StandardCharsets.US_ASCII);
    try (var reader =
        new PemReader(
            new InputStreamReader(new ByteArrayInputStream(ascii), StandardCharsets.US_ASCII))) {
      PemObject object = reader.readPemObject();
      if (object == null) {
        throw new IllegalArgumentException("no PEM block");
      }
      PublicKey key =
          KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(object.getContent()));
      if (!isP256(key)) {
        throw new IllegalArgumentException("not over P-256");
      }
      return key;
    }
  }

  private static String pem(PublicKey key) {
    var text = new StringWriter();
    try (var writer = new PemWriter(text)) {
      writer.writeObject(new PemObject("PUBLIC KEY", key.getEncoded()));
    } catch (IOException e) {
      throw new AssertionError("a text can be written", e);
    }
    return text.toString();
  }
}
