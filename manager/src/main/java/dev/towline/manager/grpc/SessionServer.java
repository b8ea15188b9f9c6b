package dev.towline.manager.grpc;

import dev.towline.manager.events.Events;
import dev.towline.manager.fleet.Fleet;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.sealed.SealedLink;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.HandshakeWatch;
import dev.towline.runtime.tls.PeerInterceptor;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/**
 * The listener for agents, proxies and relays: it asks for a certificate and does not require one;
 * the table of methods decides who gets through.
 *
 * <p>Lifecycle: {@link #start} returns when it listens; {@link #close} gives calls a moment to end.
 */
public final class SessionServer implements AutoCloseable {
  private static final int LARGEST_MESSAGE = SealedLink.MAX_FRAME + (64 << 10);
  private static final int WINDOW = 1 << 20;
  private static final Duration PING = Duration.ofSeconds(30);
  private static final Duration PONG_LIMIT = Duration.ofSeconds(10);
  private static final Duration FASTEST_PING_OF_PEERS = Duration.ofSeconds(10);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(2);

  private final Server server;

  private SessionServer(Server server) {
    this.server = server;
  }

  /**
   * @param executor runs the calls; they may block
   */
  public static SessionServer start(
      String listen,
      int port,
      Fleet fleet,
      PeerVerifier verifier,
      Events events,
      TlsProfile profile,
      Executor executor,
      List<BindableService> services)
      throws IOException {
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(new InetSocketAddress(listen, port))
            .protocolNegotiator(
                new HandshakeWatch(
                    FleetTls.server(
                        profile,
                        () -> Optional.of(fleet.manager()),
                        fleet::managerRsa,
                        verifier,
                        ClientAuth.OPTIONAL),
                    profile,
                    new TamperWatch(events, System::nanoTime),
                    System::nanoTime))
            .executor(executor)
            .intercept(
                new PeerInterceptor(
                    verifier, (method, peer, reason) -> denied(events, method, peer, reason)))
            .intercept(new PassedOnSource())
            .maxInboundMessageSize(LARGEST_MESSAGE)
            .flowControlWindow(WINDOW)
            .keepAliveTime(PING.toMillis(), TimeUnit.MILLISECONDS)
            .keepAliveTimeout(PONG_LIMIT.toMillis(), TimeUnit.MILLISECONDS)
            .permitKeepAliveTime(FASTEST_PING_OF_PEERS.toMillis(), TimeUnit.MILLISECONDS)
            .permitKeepAliveWithoutCalls(true);
    services.forEach(builder::addService);
    return new SessionServer(builder.build().start());
  }

  public int port() {
    return server.getPort();
  }

  @Override
  public void close() {
    server.shutdown();
    try {
      if (!server.awaitTermination(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        server.shutdownNow().awaitTermination(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
      }
    } catch (InterruptedException e) {
      server.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }

  private static void denied(
      Events events, String method, Optional<NodeIdentity> peer, String reason) {
    events.record(
        "rpc.denied",
        peer.map(NodeIdentity::uri).orElse("unknown"),
        "call of " + method + ": " + reason);
  }
}
