package dev.towline.relay.parent;

import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.CheckingTrustManager;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.security.GeneralSecurityException;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/**
 * Whether the one who answers is the listed child (R2): by its certificate, or, as long as it has
 * none, by the pairing proof (R6). Asked in the handshake and again with the child's hello, before
 * anything is carried.
 */
final class ChildTrust {
  private final Child child;
  private final Supplier<Optional<IssuedIdentity>> identity;
  private final Supplier<List<X509Certificate>> roots;
  private final PeerVerifier verifier;
  private final SslContext tls;

  ChildTrust(
      Child child,
      TlsProfile profile,
      Supplier<Optional<IssuedIdentity>> identity,
      Supplier<List<X509Certificate>> roots,
      PeerVerifier verifier) {
    this.child = child;
    this.identity = identity;
    this.roots = roots;
    this.verifier = verifier;
    this.tls = makeTls(profile);
  }

  /** What a child is taken for. */
  sealed interface Verdict {
    record Registered() implements Verdict {}

    /** Proved the pairing; only its own enrollment may pass. */
    record Paired() implements Verdict {}

    record Refused(String reason) implements Verdict {}
  }

  /** Looks the present identity up at each handshake, so one serves all dials. */
  SslContext tls() {
    return tls;
  }

  private SslContext makeTls(TlsProfile profile) {
    return child.mayBeUnregistered()
        ? FleetTls.client(
            profile, () -> identity.get().map(this::withRoots), new ListedOrSelfSigned())
        : FleetTls.client(profile, identity, verifier, this::isListed);
  }

  /** A child that knows only the root's fingerprint needs to see the root. */
  private IssuedIdentity withRoots(IssuedIdentity issued) {
    List<X509Certificate> chain = new ArrayList<>(issued.chain());
    chain.addAll(roots.get());
    return new IssuedIdentity(issued.identity(), issued.key(), chain);
  }

  private boolean isListed(NodeIdentity peer) {
    return peer.role() == Role.RELAY && peer.id().equals(child.relayId());
  }

  Verdict check(SSLSession session, byte[] nonce, byte[] proof) {
    List<X509Certificate> chain = new ArrayList<>();
    try {
      for (Certificate certificate : session.getPeerCertificates()) {
        chain.add((X509Certificate) certificate);
      }
    } catch (SSLPeerUnverifiedException e) {
      return new Verdict.Refused("no certificate at all");
    }
    PeerCheck byCertificate = verifier.check(chain, this::isListed);
    if (byCertificate instanceof PeerCheck.Trusted) {
      return new Verdict.Registered();
    }
    String reason = ((PeerCheck.Refused) byCertificate).detail();
    if (!child.mayBeUnregistered()) {
      return new Verdict.Refused(reason);
    }
    Certificate[] own = session.getLocalCertificates();
    if (chain.size() != 1 || own == null || proof.length == 0) {
      return new Verdict.Refused("neither a certificate of the fleet nor a proof of the pairing");
    }
    boolean holds =
        child
            .pairingKey()
            .isProvenBy(proof, (X509Certificate) own[0], chain.getFirst().getPublicKey(), nonce);
    return holds
        ? new Verdict.Paired()
        : new Verdict.Refused("the proof of the pairing is wrong (expected: the paired secret)");
  }

  /** In the handshake: the listed child, or a key that signs for itself and has to prove more. */
  private final class ListedOrSelfSigned extends CheckingTrustManager {
    @Override
    protected void check(X509Certificate[] chain) throws CertificateException {
      if (chain.length == 1) {
        try {
          chain[0].verify(chain[0].getPublicKey());
        } catch (GeneralSecurityException e) {
          throw new CertificateException("the certificate does not sign for itself", e);
        }
        return;
      }
      if (verifier.check(List.of(chain), ChildTrust.this::isListed)
          instanceof PeerCheck.Refused(String code, String detail)) {
        throw new CertificateException(code + ": " + detail);
      }
    }
  }
}
