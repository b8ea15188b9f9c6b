package dev.towline.runtime.enroll;

import dev.towline.runtime.identity.Signatures;
import java.util.Arrays;

/** The secret half of an enrollment token. Never printed, never sent. */
public final class EnrollmentSecret {
  private static final String PROOF_CONTEXT = "towline enroll v1";
  private static final String PAIRING_CONTEXT = "towline pairing key v1";

  private final byte[] secret;

  public EnrollmentSecret(byte[] secret) {
    this.secret = secret.clone();
  }

  /** Proves knowledge of the secret for exactly this key and host, at exactly this attempt. */
  public byte[] proof(byte[] requestSha256, byte[] nonce, byte[] rootSha256, byte[] factsSha256) {
    return Signatures.hmacSha256(
        secret, PROOF_CONTEXT, requestSha256, nonce, rootSha256, factsSha256);
  }

  /** The key that a relay's child and its parent share until the child holds a certificate. */
  public byte[] pairingKey() {
    return Signatures.hmacSha256(secret, PAIRING_CONTEXT);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof EnrollmentSecret that && Arrays.equals(secret, that.secret);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(secret);
  }

  @Override
  public String toString() {
    return "EnrollmentSecret[hidden]";
  }
}
