package dev.towline.cli.login;

import dev.towline.cli.error.Errors;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

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
    // While the root is being changed two of them are there, and either may be the one known.
    Optional<X509Certificate> known =
        chain.stream().skip(2).filter(root -> Fingerprints.of(root).equals(expected)).findFirst();
    if (known.isPresent()) {
      return new PinnedTrust(presented.fleet(), List.of(known.get()));
    }
    String found = Fingerprints.of(presented.roots().getFirst());
    if (!found.equals(expected)) {
      throw new TowlineException(
          Errors.MANAGER_NOT_TRUSTED,
          "the server at " + url + " has CA fingerprint " + found + " (expected: " + expected + ")",
          "compare with the fingerprint that towline-manager printed at its last start, or towline"
              + " ca show; when they differ, something else answers at this address");
    }
    return presented;
  }

  /** What the server claims; to be confirmed by the operator. */
  public static PinnedTrust presented(List<X509Certificate> chain, String url) {
    // Leaf, issuing CA, root; behind it the roots of earlier times.
    X509Certificate root = chain.get(Math.min(2, chain.size() - 1));
    String fleet =
        PeerVerifier.identityOf(chain.getFirst())
            .map(NodeIdentity::fleet)
            .filter(_ -> chain.size() > 2 && root.getBasicConstraints() > 0)
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
