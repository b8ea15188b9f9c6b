package dev.towline.relay.child;

import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.TrustAnchors;
import dev.towline.runtime.tls.CheckingTrustManager;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Trust of a program that knows only the fingerprint of its fleet's root: the peer presents the
 * root along with its chain, it counts when its fingerprint is the known one, and then everything
 * is checked as ever. Only relays are accepted.
 */
public final class PinnedRoot extends CheckingTrustManager {
  private final String fleet;
  private final String fingerprint;
  private final PeerVerifier verifier;
  private volatile @Nullable X509Certificate root;

  /**
   * @param fingerprint hexadecimal SHA-256 of the root
   */
  public PinnedRoot(String fleet, String fingerprint, InstantSource clock) {
    this.fleet = fleet;
    this.fingerprint = fingerprint;
    this.verifier = new PeerVerifier(this::anchors, (identity, serial) -> false, clock);
  }

  public PeerVerifier verifier() {
    return verifier;
  }

  private TrustAnchors anchors() {
    X509Certificate known = root;
    return new TrustAnchors(fleet, known == null ? List.of() : List.of(known));
  }

  @Override
  protected void check(X509Certificate[] chain) throws CertificateException {
    Optional<X509Certificate> presented =
        List.of(chain).stream()
            .filter(certificate -> Fingerprints.of(certificate).equalsIgnoreCase(fingerprint))
            .findFirst();
    if (presented.isEmpty()) {
      throw new CertificateException("CERTIFICATE_UNTRUSTED: not of the fleet of this enrollment");
    }
    root = presented.get();
    if (verifier.check(List.of(chain), identity -> identity.role() == Role.RELAY)
        instanceof PeerCheck.Refused(String code, String detail)) {
      throw new CertificateException(code + ": " + detail);
    }
  }
}
