package dev.towline.runtime.tls;

import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.function.Predicate;

/**
 * Decides in the handshake by {@link PeerVerifier}. Host names are not looked at: a fleet's members
 * are told apart by their certified role and id, and many have no name that resolves.
 */
public final class FleetTrustManager extends CheckingTrustManager {
  private final PeerVerifier verifier;
  private final Predicate<NodeIdentity> expected;

  public FleetTrustManager(PeerVerifier verifier, Predicate<NodeIdentity> expected) {
    this.verifier = verifier;
    this.expected = expected;
  }

  @Override
  protected void check(X509Certificate[] chain) throws CertificateException {
    if (verifier.check(List.of(chain), expected)
        instanceof PeerCheck.Refused(String code, String detail)) {
      throw new CertificateException(code + ": " + detail);
    }
  }
}
