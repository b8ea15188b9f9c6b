package dev.towline.runtime.tls;

import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.DelegatingSslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.IdentityCipherSuiteFilter;
import io.grpc.netty.shaded.io.netty.handler.ssl.OpenSslCachingX509KeyManagerFactory;
import io.grpc.netty.shaded.io.netty.handler.ssl.OpenSslSessionContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import io.grpc.netty.shaded.io.netty.handler.ssl.util.KeyManagerFactoryWrapper;
import java.security.GeneralSecurityException;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.Supplier;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.TrustManager;

/**
 * TLS contexts for talk inside a fleet: the versions and suites of a profile, both sides checked by
 * {@link PeerVerifier}, the current identity looked up at each handshake (T1, T2, T3). Clients keep
 * no session cache, because a resumed session would present an old certificate.
 */
public final class FleetTls {
  private static final String NEWEST = "TLSv1.3";

  private FleetTls() {}

  /** For a gRPC server of the default profile. */
  public static SslContext server(
      Supplier<Optional<IssuedIdentity>> identity, PeerVerifier verifier, ClientAuth clientAuth) {
    return server(TlsProfile.MODERN, identity, Optional::empty, verifier, clientAuth);
  }

  /**
   * For a gRPC server. Who may call what is decided by {@link PeerInterceptor}.
   *
   * @param rsa presented to peers of older suites; without one they are refused
   */
  public static SslContext server(
      TlsProfile profile,
      Supplier<Optional<IssuedIdentity>> identity,
      Supplier<Optional<IssuedIdentity>> rsa,
      PeerVerifier verifier,
      ClientAuth clientAuth) {
    return build(
        GrpcSslContexts.configure(
            SslContextBuilder.forServer(
                keys(new CurrentKeyManager(identity, rsa), provider(profile))),
            provider(profile)),
        profile,
        new FleetTrustManager(verifier, peer -> true),
        clientAuth);
  }

  /** For a gRPC channel to a peer that has to be an expected one. */
  public static SslContext client(
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    return client(TlsProfile.MODERN, identity, verifier, expected);
  }

  public static SslContext client(
      TlsProfile profile,
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    return client(profile, identity, new FleetTrustManager(verifier, expected));
  }

  /** For a dial that pins something other than the fleet's roots, such as an unregistered child. */
  public static SslContext client(
      TlsProfile profile, Supplier<Optional<IssuedIdentity>> identity, TrustManager trustManager) {
    return build(
        GrpcSslContexts.configure(
            SslContextBuilder.forClient()
                .keyManager(keys(new CurrentKeyManager(identity), provider(profile))),
            provider(profile)),
        profile,
        trustManager,
        ClientAuth.NONE);
  }

  /** For the inner connection through a proxy, at the manager: an agent has to present itself. */
  public static SslContext innerServer(
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    return innerServer(TlsProfile.MODERN, identity, verifier, expected);
  }

  /**
   * For the inner connection through a proxy, at the manager: an agent has to present itself.
   * Always TLS 1.3, because both ends are a fleet's own.
   */
  public static SslContext innerServer(
      TlsProfile profile,
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    TlsProfile inner = inner(profile);
    return build(
        SslContextBuilder.forServer(keys(new CurrentKeyManager(identity), provider(inner)))
            .sslProvider(provider(inner)),
        inner,
        new FleetTrustManager(verifier, expected),
        ClientAuth.REQUIRE);
  }

  /** For the inner connection through a proxy, at the agent. */
  public static SslContext innerClient(
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    return innerClient(TlsProfile.MODERN, identity, verifier, expected);
  }

  public static SslContext innerClient(
      TlsProfile profile,
      Supplier<Optional<IssuedIdentity>> identity,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected) {
    TlsProfile inner = inner(profile);
    return build(
        SslContextBuilder.forClient()
            .keyManager(keys(new CurrentKeyManager(identity), provider(inner)))
            .sslProvider(provider(inner)),
        inner,
        new FleetTrustManager(verifier, expected),
        ClientAuth.NONE);
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

  /**
   * For files that are checked by their content: managers and proxies of the fleet under whatever
   * name, and any other server by its name and the platform's authorities.
   */
  public static SSLContext anyServer(PeerVerifier verifier) {
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(
          new KeyManager[0],
          new TrustManager[] {
            new AnyServerTrustManager(
                new FleetTrustManager(
                    verifier, peer -> peer.role() == Role.MANAGER || peer.role() == Role.PROXY))
          },
          null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("TLS context can't be made", e);
    }
  }

  /** Narrows what a JDK connection of either end offers to a profile. */
  public static void apply(TlsProfile profile, SSLParameters parameters) {
    parameters.setProtocols(profile.protocols().toArray(String[]::new));
    parameters.setCipherSuites(profile.suites().toArray(String[]::new));
    parameters.setUseCipherSuitesOrder(true);
    if (!profile.groups().isEmpty()) {
      parameters.setNamedGroups(profile.groups().toArray(String[]::new));
    }
    if (!profile.schemes().isEmpty()) {
      parameters.setSignatureSchemes(profile.schemes().toArray(String[]::new));
    }
  }

  private static TlsProfile inner(TlsProfile profile) {
    return profile == TlsProfile.FIPS ? TlsProfile.FIPS : TlsProfile.MODERN;
  }

  private static SslProvider provider(TlsProfile profile) {
    return profile.needsJdk() ? SslProvider.JDK : SslProvider.OPENSSL;
  }

  /** With OpenSSL, key and chain are handed over once, not encoded and parsed in each handshake. */
  private static KeyManagerFactory keys(CurrentKeyManager keys, SslProvider provider) {
    var factory = new KeyManagerFactoryWrapper(keys);
    return provider == SslProvider.OPENSSL
        ? new OpenSslCachingX509KeyManagerFactory(factory)
        : factory;
  }

  private static SslContext build(
      SslContextBuilder builder,
      TlsProfile profile,
      TrustManager trustManager,
      ClientAuth clientAuth) {
    try {
      if (!profile.needsJdk()) {
        return withoutSessionCache(
            builder.protocols(NEWEST).trustManager(trustManager).clientAuth(clientAuth).build());
      }
      return new ProfiledContext(
          withoutSessionCache(
              builder
                  .protocols(profile.protocols())
                  .ciphers(profile.suites(), IdentityCipherSuiteFilter.INSTANCE)
                  .trustManager(trustManager)
                  .clientAuth(clientAuth)
                  .build()),
          profile);
    } catch (SSLException e) {
      throw new IllegalStateException("TLS context can't be made", e);
    }
  }

  private static SslContext withoutSessionCache(SslContext context) {
    if (context.isServer()) {
      // What a resumed session shows is checked by the application, as in a new one.
      return context;
    }
    SSLSessionContext sessions = context.sessionContext();
    if (sessions instanceof OpenSslSessionContext openSsl) {
      openSsl.setSessionCacheEnabled(false);
    } else {
      sessions.setSessionCacheSize(1);
      sessions.setSessionTimeout(1);
    }
    return context;
  }

  /** The part of a profile that only engines know. */
  private static final class ProfiledContext extends DelegatingSslContext {
    private final TlsProfile profile;

    ProfiledContext(SslContext context, TlsProfile profile) {
      super(context);
      this.profile = profile;
    }

    @Override
    protected void initEngine(SSLEngine engine) {
      SSLParameters parameters = engine.getSSLParameters();
      apply(profile, parameters);
      engine.setSSLParameters(parameters);
    }
  }
}
