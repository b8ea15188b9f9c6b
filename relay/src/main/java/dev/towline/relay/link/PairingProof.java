package dev.towline.relay.link;

import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.Signatures;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.cert.X509Certificate;

/**
 * How a child without a certificate shows the parent that it is the one that was paired (R6): a
 * keyed hash over both ends of this TLS connection and the parent's nonce, so it is worth nothing
 * to anybody in between or later.
 */
public final class PairingProof {
  private static final String KEY_CONTEXT = "towline pairing key v1";
  private static final String PROOF_CONTEXT = "towline pair v1";

  private PairingProof() {}

  /** What parent and manager know of the enrollment secret. */
  public static byte[] keyOf(byte[] enrollmentSecret) {
    return Signatures.hmacSha256(enrollmentSecret, KEY_CONTEXT);
  }

  public static byte[] make(
      byte[] pairingKey, X509Certificate parent, PublicKey child, byte[] nonce) {
    return Signatures.hmacSha256(
        pairingKey,
        PROOF_CONTEXT,
        Fingerprints.sha256(parent),
        Fingerprints.sha256(child.getEncoded()),
        nonce);
  }

  public static boolean holds(
      byte[] pairingKey, X509Certificate parent, PublicKey child, byte[] nonce, byte[] proof) {
    return MessageDigest.isEqual(make(pairingKey, parent, child, nonce), proof);
  }
}
