package dev.towline.relay.child;

import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.tunnel.CreditBudget;
import dev.towline.relay.tunnel.LocalSocket;
import dev.towline.relay.tunnel.Tunnel;
import dev.towline.relay.tunnel.TunnelEnd;
import io.grpc.netty.shaded.io.netty.bootstrap.ServerBootstrap;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelInitializer;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import java.io.IOException;
import java.net.InetSocketAddress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes TCP connections on one address for one target and hands each to a stream of a parent.
 *
 * <p>Lifecycle: from its construction to {@link #close}. Threading: the loop. Failure: a connection
 * for which no stream comes in time is reset.
 */
final class TunnelListener implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TunnelListener.class);

  private final ParentLinks links;
  private final CreditBudget budget;
  private final RelayTarget target;
  private final ListenerGate gate;
  private final Channel channel;

  /**
   * @throws IOException when the address can't be bound
   */
  TunnelListener(
      RelayIo io,
      ParentLinks links,
      CreditBudget budget,
      RelayTarget target,
      InetSocketAddress address,
      ListenerGate gate)
      throws IOException {
    this.links = links;
    this.budget = budget;
    this.target = target;
    this.gate = gate;
    var bound =
        new ServerBootstrap()
            .group(io.group())
            .channel(io.listenerType())
            .option(ChannelOption.SO_BACKLOG, 1024)
            .childOption(ChannelOption.AUTO_READ, false)
            .childHandler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel accepted) {
                    accepted(accepted);
                  }
                })
            .bind(address)
            .awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw new IOException(
          "address: " + address + " can't be listened on: " + bound.cause().getMessage());
    }
    this.channel = bound.channel();
  }

  InetSocketAddress address() {
    return (InetSocketAddress) channel.localAddress();
  }

  RelayTarget target() {
    return target;
  }

  private void accepted(Channel accepted) {
    LocalSocket socket = new LocalSocket(accepted);
    // The claim is made when the channel is registered: an answer may come at once.
    accepted.eventLoop().execute(() -> enter(socket));
  }

  private void enter(LocalSocket socket) {
    InetSocketAddress source = (InetSocketAddress) socket.channel().remoteAddress();
    InetSocketAddress here = (InetSocketAddress) socket.channel().localAddress();
    if (source == null || here == null) {
      socket.abort();
      return;
    }
    ListenerGate.Visit visit =
        gate.enter(
            source,
            here,
            origin -> claim(socket, origin),
            why -> {
              LOG.warn("connection from {} to {} refused: {}", source, here, why);
              links.refusals().count(ParentLinks.NOT_ADMITTED);
              socket.abort();
            });
    var _ = socket.channel().closeFuture().addListener(_ -> visit.left());
  }

  private void claim(LocalSocket socket, Origin origin) {
    if (!socket.channel().isOpen()) {
      return;
    }
    OpenTunnel open =
        OpenTunnel.newBuilder()
            .setTarget(target)
            .setSourceAddress(origin.source())
            .addAllHops(origin.hops())
            .build();
    var claim =
        links.claim(
            target,
            carry -> carry.serve(Tunnel.opening(open, budget), socket, how -> ended(open, how)),
            reason -> {
              LOG.warn("connection from {} reset: {}", open.getSourceAddress(), reason);
              socket.abort();
            });
    var _ = socket.channel().closeFuture().addListener(_ -> claim.cancel());
  }

  private static void ended(OpenTunnel open, TunnelEnd how) {
    if (how instanceof TunnelEnd.Broken(String code, String detail, boolean byPeer)) {
      LOG.debug(
          "tunnel from {} broken{}: {}: {}",
          open.getSourceAddress(),
          byPeer ? " by parent" : "",
          code,
          detail);
    }
  }

  @Override
  public void close() {
    var _ = channel.close().awaitUninterruptibly();
  }
}
