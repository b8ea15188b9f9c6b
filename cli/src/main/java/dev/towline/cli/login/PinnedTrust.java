package dev.towline.cli.login;

import dev.towline.cli.error.Errors;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Locale;

/**
 * The fleet's root, found in what a manager presents and recognised by its fingerprint. What
 * follows from it (that the leaf is a manager of the fleet) is checked with each connection.
 */
public record PinnedTrust(String fleet, List<X509Certificate> roots) {
  public PinnedTrust {
    roots = List.copyOf(roots);
  }

  /** Refuses a chain without a root of this fingerprint. */
  public static PinnedTrust of(List<X509Certificate> chain, String fingerprint, String url) {
    String expected = normalize(fingerprint);
    PinnedTrust presented = presented(chain, url);
    String found = Fingerprints.of(presented.roots().getFirst());
    if (!found.equals(expected)) {
      throw new TowlineException(
          Errors.MANAGER_NOT_TRUSTED,
          "the server at " + url + " has CA fingerprint " + found + " (expected: " + expected + ")",
          "compare with the fingerprint that towline-manager printed at its first start; when they"
              + " differ, something else answers at this address");
    }
    return presented;
  }

  /** What the server claims; to be confirmed by the operator. */
  public static PinnedTrust presented(List<X509Certificate> chain, String url) {
    X509Certificate root = chain.getLast();
    String fleet =
        PeerVerifier.identityOf(chain.getFirst())
            .map(NodeIdentity::fleet)
            .filter(_ -> root.getIssuerX500Principal().equals(root.getSubjectX500Principal()))
            .orElseThrow(() ->
                new TowlineException(
                    Errors.MANAGER_NOT_TRUSTED,
                    "the server at " + url + " is no Towline manager",
                    "use the console address that towline-manager printed (default port"
                        + " 8444)"));
    return new PinnedTrust(fleet, List.of(root));
  }

  /** Hexadecimal, colons and case do not matter. */
  private static String normalize(String fingerprint) {
    String plain = fingerprint.strip().replace(":", "").toLowerCase(Locale.ROOT);
    plain = plain.startsWith("sha256") ? plain.substring("sha256".length()) : plain;
    if (!plain.matches("[0-9a-f]{64}")) {
      throw new TowlineException(
          Errors.USAGE,
          "CA fingerprint: " + fingerprint + " (expected: 64 hexadecimal digits)",
          "copy the fingerprint that towline-manager printed at its first start");
    }
    return plain;
  }
}
