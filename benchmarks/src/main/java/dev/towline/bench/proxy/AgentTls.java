package dev.towline.bench.proxy;

import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.TrustAnchors;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.sealed.SealedLink;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.netty.shaded.io.netty.buffer.ByteBufAllocator;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The TLS of all agents of a process: one context for each purpose, the certificate is that of the
 * agent whose turn it is on the thread.
 */
final class AgentTls {
  private static final ThreadLocal<@Nullable IssuedIdentity> TURN = new ThreadLocal<>();

  /** Before an agent has a certificate. */
  static final SslContext ENROLLING =
      FleetTls.client(
          TlsProfile.MODERN,
          Optional::empty,
          InsecureTrustManagerFactory.INSTANCE.getTrustManagers()[0]);

  private final PeerVerifier verifier;
  private final SslContext outer;
  private final SslContext inner;

  AgentTls(String fleet, List<X509Certificate> roots) {
    var anchors = new TrustAnchors(fleet, roots);
    this.verifier = new PeerVerifier(() -> anchors, Revocations.NONE, Clock.systemUTC());
    this.outer =
        FleetTls.client(
            AgentTls::turn,
            verifier,
            peer -> peer.role() == Role.PROXY || peer.role() == Role.MANAGER);
    this.inner =
        FleetTls.innerClient(AgentTls::turn, verifier, peer -> peer.role() == Role.MANAGER);
  }

  private static Optional<IssuedIdentity> turn() {
    return Optional.ofNullable(TURN.get());
  }

  /** Does something with this certificate. */
  static <T> T turn(IssuedIdentity identity, Supplier<T> work) {
    TURN.set(identity);
    return work.get();
  }

  PeerVerifier verifier() {
    return verifier;
  }

  SslContext outer() {
    return outer;
  }

  SealedLink<ManagerFrame, AgentFrame> newInner() {
    return SealedLink.agentEnd(
        SealedChannel.client(
            inner, verifier, peer -> peer.role() == Role.MANAGER, ByteBufAllocator.DEFAULT));
  }

  /** Stands before the TLS of a connection: what that does is this agent's turn. */
  static final class Turn extends ChannelInboundHandlerAdapter {
    private final @Nullable IssuedIdentity identity;

    Turn(@Nullable IssuedIdentity identity) {
      this.identity = identity;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) throws Exception {
      TURN.set(identity);
      super.channelActive(ctx);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) throws Exception {
      TURN.set(identity);
      super.channelRead(ctx, message);
    }
  }
}
