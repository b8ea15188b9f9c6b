package dev.towline.runtime.tls;

import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import io.grpc.netty.shaded.io.netty.handler.ssl.OpenSslCertificateException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.function.Predicate;

/**
 * Decides in the handshake by {@link PeerVerifier}. Host names are not looked at: a fleet's members
 * are told apart by their certified role and id, and many have no name that resolves.
 */
public final class FleetTrustManager extends CheckingTrustManager {
  /** X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, which becomes the alert unknown_ca. */
  private static final int ISSUER_UNKNOWN = 20;

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
      throw refusal(code, code + ": " + detail);
    }
  }

  /** Of a kind that TLS has an alert for, so that the peer learns what is wrong. */
  private static CertificateException refusal(String code, String message) {
    return switch (code) {
      case "CERTIFICATE_EXPIRED" -> new CertificateExpiredException(message);
      case "CERTIFICATE_NOT_YET_VALID" -> new CertificateNotYetValidException(message);
      case "CERTIFICATE_UNTRUSTED" -> new OpenSslCertificateException(message, ISSUER_UNKNOWN);
      default -> new CertificateException(message);
    };
  }
}
