package dev.towline.runtime.tls;

import io.grpc.netty.shaded.io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.shaded.io.netty.buffer.ByteBuf;
import io.grpc.netty.shaded.io.netty.buffer.ByteBufUtil;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandler;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.util.AsciiString;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Negotiates TLS for a gRPC server and tells of connections that fail in it: of peers outside the
 * profile with what they offered (T2), of others with what TLS says. gRPC itself only closes them
 * and has no place where a program could hear why, therefore its own negotiation is wrapped.
 *
 * <p>Threading: called by every connection's event loop. Nobody is authenticated yet, so the
 * listener hears of a few refusals per minute only, and has to limit itself in what it makes of
 * other failures.
 */
public final class HandshakeWatch implements InternalProtocolNegotiator.ProtocolNegotiator {
  private static final AsciiString HTTPS = AsciiString.of("https");
  private static final int MOST_PER_MINUTE = 20;

  private final Supplier<Served> served;
  private final Listener listener;
  private final Turns turns;

  /** What a connection is offered: a profile, and the context that speaks it. */
  public record Served(TlsProfile profile, SslContext context) {}

  /** Hears of failed connections; called on a transport thread, must not block. */
  public interface Listener {
    /**
     * @param peer host:port
     */
    void outsideProfile(String peer, HandshakeRefusal refusal);

    /**
     * @param peer host:port
     */
    void failed(String peer, SSLException failure);
  }

  /**
   * @param nanoTime monotonic, as {@link System#nanoTime}
   */
  public HandshakeWatch(
      SslContext context, TlsProfile profile, Listener listener, LongSupplier nanoTime) {
    this(always(new Served(profile, context)), listener, nanoTime);
  }

  /**
   * For a listener whose profile changes while it listens.
   *
   * @param served asked for each connection, on its event loop
   * @param nanoTime monotonic, as {@link System#nanoTime}
   */
  public HandshakeWatch(Supplier<Served> served, Listener listener, LongSupplier nanoTime) {
    this.served = served;
    this.listener = listener;
    this.turns = new Turns(MOST_PER_MINUTE, Duration.ofMinutes(1), nanoTime);
  }

  private static Supplier<Served> always(Served served) {
    return () -> served;
  }

  @Override
  public AsciiString scheme() {
    return HTTPS;
  }

  @Override
  public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
    Served now = served.get();
    return new Wrapped(
        now.profile(), InternalProtocolNegotiators.serverTls(now.context()).newHandler(grpc));
  }

  @Override
  public void close() {
    // A negotiator that runs on event loops holds nothing.
  }

  private final class Wrapped extends ChannelInboundHandlerAdapter {
    private final TlsProfile profile;
    private final ChannelHandler negotiation;
    private final HelloReader reader = new HelloReader();
    private boolean told;

    Wrapped(TlsProfile profile, ChannelHandler negotiation) {
      this.profile = profile;
      this.negotiation = negotiation;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
      // Before this one, so that what fails there passes here.
      context.pipeline().addBefore(context.name(), null, negotiation);
      context.pipeline().addFirst(reader);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
      // Netty tells of one failure from several places.
      if (!told) {
        told = failed(context.channel().remoteAddress(), profile, reader.hello, failure);
      }
      context.fireExceptionCaught(failure);
    }
  }

  /** Reads along until the first message has passed. */
  private static final class HelloReader extends ChannelInboundHandlerAdapter {
    private final ClientHello.Reader reader = new ClientHello.Reader();
    private @Nullable ClientHello hello;

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      if (message instanceof ByteBuf bytes) {
        Optional<ClientHello> found = reader.feed(ByteBufUtil.getBytes(bytes));
        if (found.isPresent()) {
          hello = found.get();
        }
        if (reader.isDone()) {
          context.pipeline().remove(this);
        }
      }
      context.fireChannelRead(message);
    }
  }

  private boolean failed(
      SocketAddress remote, TlsProfile profile, @Nullable ClientHello hello, Throwable failure) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      if (t instanceof SSLException ssl) {
        Optional<HandshakeRefusal> refusal =
            Optional.ofNullable(hello).flatMap(offered -> HandshakeRefusal.of(offered, profile));
        if (refusal.isEmpty()) {
          listener.failed(text(remote), ssl);
        } else if (turns.take()) {
          listener.outsideProfile(text(remote), refusal.get());
        }
        return true;
      }
    }
    return false;
  }

  private static String text(SocketAddress address) {
    return address instanceof InetSocketAddress inet
        ? inet.getAddress().getHostAddress() + ":" + inet.getPort()
        : String.valueOf(address);
  }
}
