package dev.towline.runtime.tls;

import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.OpenSslSessionContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import java.security.GeneralSecurityException;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.Supplier;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;

/**
 * TLS contexts for talk inside a fleet: TLS 1.3, both sides checked by {@link PeerVerifier}, the
 * current identity looked up at each handshake (T1, T3). Clients keep no session cache, because a
 * resumed session would present an old certificate.
 */
public final class FleetTls {
  private static final String PROTOCOL = "TLSv1.3";

  private FleetTls() {}

  /** For a gRPC server. Who may call what is decided by {@link PeerInterceptor}. */
  public static SslContext server(
      Supplier<Optional<IssuedIdentity>> identity, PeerVerifier verifier, ClientAuth clientAuth) {
    return build(
        GrpcSslContexts.configure(
            SslContextBuilder.forServer(new CurrentKeyManager(identity)), SslProvider.OPENSSL),
        new FleetTrustManager(verifier, peer -> true),
        clientAuth);
  }

  /** For a gRPC channel to a peer that has to be an expected one. */
  public static SslContext client(
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    return client(identity, new FleetTrustManager(verifier, expected));
  }

  /** For a dial that pins something other than the fleet's roots, such as an unregistered child. */
  public static SslContext client(
      Supplier<Optional<IssuedIdentity>> identity, TrustManager trustManager) {
    return withoutSessionCache(
        build(
            GrpcSslContexts.configure(
                SslContextBuilder.forClient().keyManager(new CurrentKeyManager(identity)),
                SslProvider.OPENSSL),
            trustManager,
            ClientAuth.NONE));
  }

  /** For the inner connection through a proxy, at the manager: an agent has to present itself. */
  public static SslContext innerServer(
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    return build(
        SslContextBuilder.forServer(new CurrentKeyManager(identity))
            .sslProvider(SslProvider.OPENSSL),
        new FleetTrustManager(verifier, expected),
        ClientAuth.REQUIRE);
  }

  /** For the inner connection through a proxy, at the agent. */
  public static SslContext innerClient(
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    return withoutSessionCache(
        build(
            SslContextBuilder.forClient()
                .keyManager(new CurrentKeyManager(identity))
                .sslProvider(SslProvider.OPENSSL),
            new FleetTrustManager(verifier, expected),
            ClientAuth.NONE));
  }

  /** For the JDK's HTTP client. */
  public static SSLContext httpClient(
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(
          new KeyManager[] {new CurrentKeyManager(identity)},
          new TrustManager[] {new FleetTrustManager(verifier, expected)},
          null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("TLS context can't be made", e);
    }
  }

  private static SslContext build(
      SslContextBuilder builder, TrustManager trustManager, ClientAuth clientAuth) {
    try {
      return builder.protocols(PROTOCOL).trustManager(trustManager).clientAuth(clientAuth).build();
    } catch (SSLException e) {
      throw new IllegalStateException("TLS context can't be made", e);
    }
  }

  private static SslContext withoutSessionCache(SslContext context) {
    ((OpenSslSessionContext) context.sessionContext()).setSessionCacheEnabled(false);
    return context;
  }
}
