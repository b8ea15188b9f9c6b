package dev.towline.manager.fleet;

import dev.towline.runtime.identity.Role;
import java.util.List;

/**
 * Which roots members trust, and which single certificates nobody trusts. Part of a transaction.
 */
public interface TrustStore {
  /**
   * @param roots hexadecimal fingerprints of the roots that the node trusts
   */
  void trusts(String node, List<String> roots, long nowMs);

  /**
   * @param roots as above
   * @param issuer hexadecimal fingerprint of the CA that signed what the node presented
   */
  void presented(String node, List<String> roots, String issuer, long nowMs);

  /** Of every member that is not revoked, also of those that said nothing yet. */
  List<MemberTrust> members();

  void revokeCertificate(RevokedCertificate certificate);

  /** Those that would be valid at this time; others are forgotten. */
  List<RevokedCertificate> revokedCertificates(long nowMs);

  /**
   * @param roots empty when it never said which
   * @param issuer empty when it was never in session
   */
  record MemberTrust(
      String id, Role role, String name, long lastSeenMs, List<String> roots, String issuer) {
    public MemberTrust {
      roots = List.copyOf(roots);
    }
  }

  /**
   * @param identity whose certificate it is, as URI
   */
  record RevokedCertificate(
      String serial, String identity, long revokedMs, long expiresMs, String reason) {}
}
