package dev.towline.manager.grpc;

import dev.towline.manager.events.Events;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.sealed.SealedFailure;
import io.grpc.netty.shaded.io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandler;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.util.AsciiString;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.time.InstantSource;
import javax.net.ssl.SSLException;

/**
 * Records connections whose TLS records fail their authentication: bytes that somebody altered on
 * the way, or played back. gRPC itself only closes them and has no place where a program could hear
 * why, therefore its own negotiation is wrapped.
 *
 * <p>Threading: called by every connection's event loop. Nobody is authenticated yet, so events are
 * limited to a few per minute.
 */
final class TamperWatch implements InternalProtocolNegotiator.ProtocolNegotiator {
  private static final long PERIOD_MS = Duration.ofMinutes(1).toMillis();
  private static final int MOST_IN_PERIOD = 20;

  private final InternalProtocolNegotiator.ProtocolNegotiator tls;
  private final Events events;
  private final InstantSource clock;
  private long periodBegan;
  private int inPeriod;

  TamperWatch(SslContext context, Events events, InstantSource clock) {
    this.tls = InternalProtocolNegotiators.serverTls(context);
    this.events = events;
    this.clock = clock;
  }

  @Override
  public AsciiString scheme() {
    return tls.scheme();
  }

  @Override
  public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
    ChannelHandler negotiation = tls.newHandler(grpc);
    return new ChannelInboundHandlerAdapter() {
      @Override
      public void handlerAdded(ChannelHandlerContext context) {
        // Before this one, so that what fails there passes here.
        context.pipeline().addBefore(context.name(), null, negotiation);
      }

      @Override
      public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
        failed(context.channel().remoteAddress(), failure);
        context.fireExceptionCaught(failure);
      }
    };
  }

  @Override
  public void close() {
    tls.close();
  }

  private void failed(SocketAddress remote, Throwable failure) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      if (t instanceof SSLException ssl) {
        SealedFailure found = SealedChannel.failureOf(ssl);
        if (found.reason() == SealedFailure.Reason.BAD_RECORD && isTurn()) {
          events.record("session.tampered", text(remote), "connection: " + found.detail());
        }
        return;
      }
    }
  }

  private synchronized boolean isTurn() {
    long now = clock.millis();
    if (now - periodBegan > PERIOD_MS) {
      periodBegan = now;
      inPeriod = 0;
    }
    return ++inPeriod <= MOST_IN_PERIOD;
  }

  private static String text(SocketAddress address) {
    return address instanceof InetSocketAddress inet
        ? inet.getAddress().getHostAddress() + ":" + inet.getPort()
        : String.valueOf(address);
  }
}
