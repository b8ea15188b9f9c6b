package dev.towline.manager.rest;

import dev.towline.runtime.tls.ClientHello;
import dev.towline.runtime.tls.HandshakeRefusal;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.runtime.tls.Turns;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.function.BiConsumer;
import javax.net.ssl.SSLEngine;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.ssl.SslConnection;
import org.eclipse.jetty.io.ssl.SslHandshakeListener;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.jspecify.annotations.Nullable;

/**
 * TLS of a Jetty port that tells which clients are outside the profile, with what they offered
 * (T2): no provider says that, so the first message is read along.
 *
 * <p>Threading: the listener is called by Jetty's threads and must not block; anybody can cause a
 * call, so that it hears of a few per minute only.
 */
final class WatchedTls extends SslConnectionFactory {
  private static final int MOST_PER_MINUTE = 20;

  private final TlsProfile profile;
  private final BiConsumer<String, HandshakeRefusal> refusals;
  private final Turns turns = new Turns(MOST_PER_MINUTE, Duration.ofMinutes(1), System::nanoTime);

  /**
   * @param refusals takes host:port of a client and what is the matter
   */
  WatchedTls(
      SslContextFactory.Server context,
      String next,
      TlsProfile profile,
      BiConsumer<String, HandshakeRefusal> refusals) {
    super(context, next);
    this.profile = profile;
    this.refusals = refusals;
  }

  @Override
  protected SslConnection newSslConnection(
      Connector connector, EndPoint endPoint, SSLEngine engine) {
    return new Watched(connector, endPoint, engine);
  }

  private final class Watched extends SslConnection implements SslHandshakeListener {
    private final ClientHello.Reader reader = new ClientHello.Reader();
    private @Nullable ClientHello hello;

    Watched(Connector connector, EndPoint endPoint, SSLEngine engine) {
      super(
          connector.getByteBufferPool(),
          connector.getExecutor(),
          WatchedTls.this.getSslContextFactory(),
          endPoint,
          engine,
          WatchedTls.this.isDirectBuffersForDecryption(),
          WatchedTls.this.isDirectBuffersForEncryption());
      addHandshakeListener(this);
    }

    @Override
    protected int networkFill(ByteBuffer input) throws IOException {
      int filled = super.networkFill(input);
      if (filled > 0 && !reader.isDone()) {
        // Jetty's buffers hold their content between position and limit.
        byte[] bytes = new byte[filled];
        input.slice(input.limit() - filled, filled).get(bytes);
        reader.feed(bytes).ifPresent(found -> hello = found);
      }
      return filled;
    }

    @Override
    public void handshakeFailed(Event event, Throwable failure) {
      if (hello != null) {
        HandshakeRefusal.of(hello, profile)
            .filter(_ -> turns.take())
            .ifPresent(refusal -> refusals.accept(text(getEndPoint()), refusal));
      }
    }
  }

  private static String text(EndPoint client) {
    SocketAddress address = client.getRemoteSocketAddress();
    return address instanceof InetSocketAddress inet
        ? inet.getAddress().getHostAddress() + ":" + inet.getPort()
        : String.valueOf(address);
  }
}
