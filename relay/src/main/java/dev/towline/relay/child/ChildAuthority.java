package dev.towline.relay.child;

import dev.towline.relay.link.PairingKey;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.SSLException;

/** Who the child is towards its parents, and whom it accepts as one. */
public sealed interface ChildAuthority {

  SslContext tls();

  /** What its TLS speaks. */
  TlsProfile profile();

  PeerVerifier verifier();

  /** What the hello to a parent proves; empty when the certificate already proves it. */
  byte[] proof(X509Certificate parent, byte[] nonce);

  /** Holds a certificate of the fleet. */
  record Registered(
      TlsProfile profile,
      Supplier<Optional<IssuedIdentity>> identity,
      Supplier<Optional<IssuedIdentity>> rsa,
      PeerVerifier verifier)
      implements ChildAuthority {

    public Registered(Supplier<Optional<IssuedIdentity>> identity, PeerVerifier verifier) {
      this(TlsProfile.MODERN, identity, Optional::empty, verifier);
    }

    @Override
    public SslContext tls() {
      return FleetTls.server(profile, identity, rsa, verifier, ClientAuth.REQUIRE);
    }

    @Override
    public byte[] proof(X509Certificate parent, byte[] nonce) {
      return new byte[0];
    }
  }

  /**
   * Knows only the fingerprint of the fleet's root and the pairing secret (R6). The parent has to
   * present its certificate with the root; the child proves with the secret that it was paired.
   */
  record Unregistered(
      KeyPair key, X509Certificate selfSigned, PairingKey pairingKey, PinnedRoot pinned)
      implements ChildAuthority {

    @Override
    public SslContext tls() {
      try {
        return GrpcSslContexts.configure(
                SslContextBuilder.forServer(key.getPrivate(), selfSigned), SslProvider.OPENSSL)
            .protocols("TLSv1.3")
            .trustManager(pinned)
            .clientAuth(ClientAuth.REQUIRE)
            .build();
      } catch (SSLException e) {
        throw new IllegalStateException("TLS context can't be made", e);
      }
    }

    /** Its parent is a relay of the fleet, which has TLS 1.3 in every profile. */
    @Override
    public TlsProfile profile() {
      return TlsProfile.MODERN;
    }

    @Override
    public PeerVerifier verifier() {
      return pinned.verifier();
    }

    @Override
    public byte[] proof(X509Certificate parent, byte[] nonce) {
      return pairingKey.proof(parent, key.getPublic(), nonce);
    }

    @Override
    public String toString() {
      return "Unregistered";
    }
  }
}
