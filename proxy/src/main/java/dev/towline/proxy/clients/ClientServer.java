package dev.towline.proxy.clients;

import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.HandshakeWatch;
import dev.towline.runtime.tls.PeerInterceptor;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.Server;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The port that agents dial. A client certificate is asked for and not required: without one only
 * enrollment answers, with one only agents have a session here.
 *
 * <p>Lifecycle: listens from construction on until {@link #close}.
 */
public final class ClientServer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ClientServer.class);

  /** Small, because there are many connections and each may fill its own; fixed, so no pings. */
  private static final int FLOW_CONTROL_WINDOW = 64 << 10;

  private static final int MAX_MESSAGE = 256 << 10;
  private static final int MAX_METADATA = 8 << 10;
  private static final int MAX_CALLS_PER_CONNECTION = 4;
  private static final int BACKLOG = 4_096;
  private static final int KEEPALIVE_SECONDS = 30;
  private static final int KEEPALIVE_LIMIT_SECONDS = 10;
  private static final int HANDSHAKE_SECONDS = 20;
  private static final int IDLE_SECONDS = 60;

  private final Server server;

  public ClientServer(
      InetSocketAddress listen,
      SslContext tls,
      TlsProfile profile,
      PeerVerifier verifier,
      ServerServiceDefinition sessions,
      ServerServiceDefinition enrollment,
      PeerInterceptor.DenialListener denials,
      HandshakeWatch.Listener handshakes)
      throws IOException {
    var access =
        new PeerInterceptor(
            verifier,
            peer -> peer.role() == Role.AGENT,
            (method, peer, reason) -> {
              log(method, peer, reason);
              denials.denied(method, peer, reason);
            });
    this.server =
        NettyServerBuilder.forAddress(listen)
            .protocolNegotiator(new HandshakeWatch(tls, profile, handshakes, System::nanoTime))
            .directExecutor()
            .withOption(ChannelOption.SO_BACKLOG, BACKLOG)
            .flowControlWindow(FLOW_CONTROL_WINDOW)
            .maxInboundMessageSize(MAX_MESSAGE)
            .maxInboundMetadataSize(MAX_METADATA)
            .maxConcurrentCallsPerConnection(MAX_CALLS_PER_CONNECTION)
            .handshakeTimeout(HANDSHAKE_SECONDS, TimeUnit.SECONDS)
            // Connections without a call are nobody's session, and descriptors are what runs out.
            .maxConnectionIdle(IDLE_SECONDS, TimeUnit.SECONDS)
            .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
            .keepAliveTimeout(KEEPALIVE_LIMIT_SECONDS, TimeUnit.SECONDS)
            .permitKeepAliveTime(KEEPALIVE_LIMIT_SECONDS, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .addService(ServerInterceptors.intercept(sessions, access))
            .addService(ServerInterceptors.intercept(enrollment, access))
            .build()
            .start();
  }

  public int port() {
    return server.getPort();
  }

  /** Accepts no more; streams that are there go on. */
  public void stopAccepting() {
    server.shutdown();
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  private static void log(String method, Optional<NodeIdentity> peer, String reason) {
    log.warn(
        "refused {} to {}: {}",
        method,
        peer.map(NodeIdentity::uri).orElse("a caller without certificate"),
        reason);
  }
}
