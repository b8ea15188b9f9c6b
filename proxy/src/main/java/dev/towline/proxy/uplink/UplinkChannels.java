package dev.towline.proxy.uplink;

import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Makes the proxy's connections to a manager: its own certificate, a manager expected at the other
 * end, a window wide enough for many sessions on one connection.
 */
public final class UplinkChannels {
  private static final int FLOW_CONTROL_WINDOW = 4 << 20;
  private static final int MAX_MESSAGE = 1 << 20;
  private static final int KEEPALIVE_SECONDS = 30;
  private static final int KEEPALIVE_LIMIT_SECONDS = 10;

  private final SslContext tls;

  public UplinkChannels(
      TlsProfile profile, Supplier<Optional<IssuedIdentity>> identity, PeerVerifier verifier) {
    this.tls = FleetTls.client(profile, identity, verifier, peer -> peer.role() == Role.MANAGER);
  }

  /** A channel that holds one TCP connection, opened with its first call. */
  public ManagedChannel open(ServerAddress server) {
    return NettyChannelBuilder.forAddress(server.host(), server.port())
        .sslContext(tls)
        .directExecutor()
        .flowControlWindow(FLOW_CONTROL_WINDOW)
        .maxInboundMessageSize(MAX_MESSAGE)
        .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEPALIVE_LIMIT_SECONDS, TimeUnit.SECONDS)
        .keepAliveWithoutCalls(true)
        .disableRetry()
        .disableServiceConfigLookUp()
        .build();
  }
}
