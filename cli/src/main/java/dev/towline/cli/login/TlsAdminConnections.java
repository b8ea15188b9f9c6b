package dev.towline.cli.login;

import dev.towline.cli.error.Errors;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.TrustAnchors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;

/** Connections over TLS 1.3, to a manager of the pinned fleet only. */
public final class TlsAdminConnections implements AdminConnections {
  private static final int PROBE_TIMEOUT_MS = 10_000;
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final InstantSource clock;

  public TlsAdminConnections(InstantSource clock) {
    this.clock = clock;
  }

  @Override
  public ManagedChannel open(
      ManagerAddress address, String fleet, List<X509Certificate> roots, String token) {
    var anchors = new TrustAnchors(fleet, roots);
    var verifier = new PeerVerifier(() -> anchors, Revocations.NONE, clock);
    SslContext tls;
    try {
      tls =
          GrpcSslContexts.forClient()
              .trustManager(
                  new ChainTrustManager(chain ->
                      Optional.of(verifier.check(chain, peer -> peer.role() == Role.MANAGER))))
              .protocols("TLSv1.3")
              .build();
    } catch (SSLException e) {
      throw new IllegalStateException("TLS is not available", e);
    }
    var headers = new Metadata();
    if (!token.isEmpty()) {
      headers.put(AUTHORIZATION, "Bearer " + token);
    }
    return NettyChannelBuilder.forAddress(new InetSocketAddress(address.host(), address.port()))
        .overrideAuthority(address.url().substring("https://".length()))
        .sslContext(tls)
        .keepAliveTime(30, TimeUnit.SECONDS)
        .maxInboundMessageSize(64 << 20)
        .intercept(MetadataUtils.newAttachHeadersInterceptor(headers))
        .build();
  }

  @Override
  public List<X509Certificate> presentedChain(ManagerAddress address) {
    var capture = new ChainTrustManager(_ -> ChainTrustManager.NOT_CHECKED);
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, new TrustManager[] {capture}, new SecureRandom());
      try (var plain = new Socket()) {
        plain.connect(new InetSocketAddress(address.host(), address.port()), PROBE_TIMEOUT_MS);
        plain.setSoTimeout(PROBE_TIMEOUT_MS);
        try (SSLSocket socket =
            (SSLSocket)
                context
                    .getSocketFactory()
                    .createSocket(plain, address.host(), address.port(), true)) {
          socket.startHandshake();
        }
      }
    } catch (IOException e) {
      throw new TowlineException(
          Errors.MANAGER_UNREACHABLE,
          "the manager at " + address.url() + " does not answer: " + reason(e),
          "check that towline-manager runs there and that this address reaches its console port"
              + " (default 8444)",
          e);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("TLS is not available", e);
    }
    return capture.seen();
  }

  private static String reason(IOException e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }
}
