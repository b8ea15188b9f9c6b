package dev.towline.manager.session;

import com.google.protobuf.ByteString;
import dev.towline.manager.fleet.Validities;
import dev.towline.proto.v1.CertificateRenewed;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.util.List;
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
      ByteString request,
      SessionWrites writes,
      Consumer<CertificateRenewed> reply) {
    PublicKey key;
    try {
      key = CertificateRequests.verifiedKey(request.toByteArray());
      List<String> wanted = CertificateRequests.requestedUris(request.toByteArray());
      if (!List.of(peer.identity().uri()).containsAll(wanted)) {
        throw new IllegalArgumentException(
            "certificate request: for %s (expected: %s)".formatted(wanted, peer.identity().uri()));
      }
    } catch (IllegalArgumentException e) {
      services
          .events()
          .record("renewal.refused", peer.identity().id(), String.valueOf(e.getMessage()));
      return;
    }
    List<X509Certificate> chain =
        services.fleet().issue(peer.identity(), key, Validities.of(peer.identity().role()));
    long now = services.clock().millis();
    writes.add(
        tx -> tx.nodes().addCertificate(peer.identity().id(), chain.getFirst(), now),
        () -> {
          log.info(
              "renewed the certificate of {} until {}",
              peer.identity(),
              chain.getFirst().getNotAfter());
          reply.accept(
              CertificateRenewed.newBuilder()
                  .addAllChain(Certificates.toProto(chain))
                  .addAllRoots(Certificates.toProto(services.fleet().roots()))
                  .build());
        });
  }
}
