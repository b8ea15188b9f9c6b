package dev.towline.manager.session;

import dev.towline.manager.fleet.Validities;
import dev.towline.proto.v1.CertificateRenewed;
import dev.towline.proto.v1.RenewCertificate;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A new certificate within a session: for the session's own identity and no other. */
final class CertificateRenewal {
  private static final Logger log = LoggerFactory.getLogger(CertificateRenewal.class);

  private CertificateRenewal() {}

  static void run(
      SessionServices services,
      SessionPeer peer,
      RenewCertificate wanted,
      SessionWrites writes,
      Consumer<CertificateRenewed> reply) {
    byte[] request = wanted.getCertificateRequest().toByteArray();
    byte[] rsaRequest = wanted.getRsaCertificateRequest().toByteArray();
    CertificateRenewed.Builder renewed = CertificateRenewed.newBuilder();
    Optional<PublicKey> key;
    try {
      if (rsaRequest.length > 0) {
        checkName(peer, rsaRequest);
        renewed.addAllRsaChain(
            Certificates.toProto(
                services
                    .fleet()
                    .issue(
                        peer.identity(),
                        CertificateRequests.verifiedRsaKey(rsaRequest),
                        Validities.of(peer.identity().role()))));
      }
      if (request.length == 0 && rsaRequest.length > 0) {
        key = Optional.empty();
      } else {
        key = Optional.of(CertificateRequests.verifiedKey(request));
        checkName(peer, request);
      }
    } catch (IllegalArgumentException e) {
      services
          .events()
          .record("renewal.refused", peer.identity().id(), String.valueOf(e.getMessage()));
      return;
    }
    if (key.isEmpty()) {
      log.info("gave {} an RSA certificate for older suites", peer.identity());
      reply.accept(renewed.build());
      return;
    }
    List<X509Certificate> chain =
        services.fleet().issue(peer.identity(), key.get(), Validities.of(peer.identity().role()));
    long now = services.clock().millis();
    writes.add(
        tx -> tx.nodes().addCertificate(peer.identity().id(), chain.getFirst(), now),
        () -> {
          log.info(
              "renewed the certificate of {} until {}",
              peer.identity(),
              chain.getFirst().getNotAfter());
          reply.accept(
              renewed
                  .addAllChain(Certificates.toProto(chain))
                  .addAllRoots(Certificates.toProto(services.fleet().roots()))
                  .addAllRetiredRoots(Certificates.toProto(services.fleet().retiredRoots()))
                  .build());
        });
  }

  private static void checkName(SessionPeer peer, byte[] request) {
    List<String> wanted = CertificateRequests.requestedUris(request);
    if (!List.of(peer.identity().uri()).containsAll(wanted)) {
      throw new IllegalArgumentException(
          "certificate request: for %s (expected: %s)".formatted(wanted, peer.identity().uri()));
    }
  }
}
