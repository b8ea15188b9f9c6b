package dev.towline.relay.link;

import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.Signatures;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.util.Arrays;

/**
 * What the parent, the manager and a child without a certificate have in common (R6). The proof is
 * a keyed hash over both ends of this TLS connection and the parent's nonce, so it is worth nothing
 * to anybody in between or later. Never printed.
 */
public final class PairingKey {
  public static final PairingKey NONE = new PairingKey(new byte[0]);

  private static final String PROOF_CONTEXT = "towline pair v1";

  private final byte[] key;

  public PairingKey(byte[] key) {
    this.key = key.clone();
  }

  public boolean isPresent() {
    return key.length > 0;
  }

  /** What the child shows. */
  public byte[] proof(X509Certificate parent, PublicKey child, byte[] nonce) {
    if (!isPresent()) {
      throw new IllegalStateException("no pairing key");
    }
    return Signatures.hmacSha256(
        key,
        PROOF_CONTEXT,
        Fingerprints.sha256(parent),
        Fingerprints.sha256(child.getEncoded()),
        nonce);
  }

  public boolean isProvenBy(byte[] proof, X509Certificate parent, PublicKey child, byte[] nonce) {
    return isPresent() && MessageDigest.isEqual(proof(parent, child, nonce), proof);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof PairingKey that && MessageDigest.isEqual(key, that.key);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(key);
  }

  @Override
  public String toString() {
    return "PairingKey[hidden]";
  }
}
