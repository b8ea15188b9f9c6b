package dev.towline.relay.child;

import dev.towline.proto.v1.RelayServiceGrpc;
import dev.towline.relay.link.LinkBuffers;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.tunnel.CarryMethod;
import dev.towline.relay.tunnel.Frame;
import dev.towline.relay.tunnel.Tunnel;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.HandshakeRefusal;
import dev.towline.runtime.tls.HandshakeWatch;
import dev.towline.runtime.tls.PeerInterceptor;
import io.grpc.Attributes;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServerTransportFilter;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where parents dial in (R1, R2): mutual TLS, only relays of the fleet.
 *
 * <p>Lifecycle: from {@link #start} to {@link #close}; another one on the same port takes over when
 * the child's identity comes. Threading: all calls run on the loop. Failure: what comes over a
 * connection without an admitted control stream is refused.
 */
final class ChildServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ChildServer.class);
  private static final int MAX_STREAMS = 20_000;

  private static final HandshakeWatch.Listener REFUSED =
      new HandshakeWatch.Listener() {
        @Override
        public void outsideProfile(String peer, HandshakeRefusal refusal) {
          LOG.warn("tls.refused: {}: {}", peer, refusal);
        }

        @Override
        public void failed(String peer, SSLException failure) {
          LOG.debug("TLS with {} failed: {}", peer, failure.getMessage());
        }
      };

  private final Server server;

  /** What is known about one transport. */
  static final class TransportSlot {
    static final Attributes.Key<TransportSlot> KEY = Attributes.Key.create("towline-parent-link");
    boolean held;
    @Nullable ParentLink link;
  }

  private ChildServer(Server server) {
    this.server = server;
  }

  static ChildServer start(
      RelayIo io,
      ParentLinks links,
      ChildAuthority authority,
      String ownId,
      InetSocketAddress address,
      Duration keepAlive,
      KnownParents parents,
      InstantSource clock)
      throws IOException {
    PeerInterceptor peers =
        new PeerInterceptor(
            authority.verifier(),
            identity ->
                identity.role() == Role.RELAY
                    && !identity.id().equals(ownId)
                    && parents.accepts(identity.id()),
            (method, peer, reason) ->
                LOG.warn(
                    "refused {} from {}: {}",
                    method,
                    peer.map(Object::toString).orElse("a peer without certificate"),
                    reason));
    HoldHandler hold = new HoldHandler(io.loop(), links, authority, ownId, clock);
    var holdMethod = RelayServiceGrpc.getHoldMethod();
    ServerServiceDefinition service =
        ServerServiceDefinition.builder(
                ServiceDescriptor.newBuilder(RelayServiceGrpc.SERVICE_NAME)
                    .addMethod(holdMethod)
                    .addMethod(CarryMethod.DESCRIPTOR)
                    .build())
            // Checked once for each connection; its other streams need the slot that this fills.
            .addMethod(holdMethod, (call, headers) -> peers.interceptCall(call, headers, hold))
            .addMethod(CarryMethod.DESCRIPTOR, ChildServer::carry)
            .build();
    Server server =
        NettyServerBuilder.forAddress(address)
            .bossEventLoopGroup(io.group())
            .workerEventLoopGroup(io.group())
            .channelType(io.listenerType())
            .withChildOption(ChannelOption.WRITE_BUFFER_WATER_MARK, LinkBuffers.WRITES)
            .withChildOption(ChannelOption.RECVBUF_ALLOCATOR, LinkBuffers.reads())
            .directExecutor()
            .protocolNegotiator(
                new HandshakeWatch(authority.tls(), authority.profile(), REFUSED, System::nanoTime))
            .handshakeTimeout(10, TimeUnit.SECONDS)
            .flowControlWindow(CarryMethod.FLOW_CONTROL_WINDOW)
            .maxInboundMessageSize(4 * Tunnel.MAX_CHUNK)
            .maxConcurrentCallsPerConnection(MAX_STREAMS)
            .keepAliveTime(keepAlive.toMillis(), TimeUnit.MILLISECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .permitKeepAliveTime(1, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .addTransportFilter(new Slots())
            .addService(service)
            .build()
            .start();
    return new ChildServer(server);
  }

  int port() {
    return server.getPort();
  }

  private static ServerCall.Listener<Frame> carry(ServerCall<Frame, Frame> call, Metadata headers) {
    TransportSlot slot = call.getAttributes().get(TransportSlot.KEY);
    if (slot == null || slot.link == null) {
      call.close(
          Status.FAILED_PRECONDITION.withDescription("this connection has no control stream"),
          new Metadata());
      return new ServerCall.Listener<>() {};
    }
    ServerCarry carry = new ServerCarry(call, slot.link);
    slot.link.offered(carry);
    return carry;
  }

  @Override
  public void close() {
    server.shutdownNow();
    try {
      if (!server.awaitTermination(5, TimeUnit.SECONDS)) {
        LOG.warn("listener for parents did not end within 5 s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static final class Slots extends ServerTransportFilter {
    @Override
    public Attributes transportReady(Attributes attributes) {
      return attributes.toBuilder().set(TransportSlot.KEY, new TransportSlot()).build();
    }

    @Override
    public void transportTerminated(@Nullable Attributes attributes) {
      TransportSlot slot = attributes == null ? null : attributes.get(TransportSlot.KEY);
      if (slot != null && slot.link != null) {
        slot.link.lost("the connection broke");
      }
    }
  }
}
