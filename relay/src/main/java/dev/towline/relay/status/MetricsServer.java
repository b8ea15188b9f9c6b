package dev.towline.relay.status;

import dev.towline.relay.link.Addresses;
import dev.towline.relay.link.RelayIo;
import io.grpc.netty.shaded.io.netty.bootstrap.ServerBootstrap;
import io.grpc.netty.shaded.io.netty.buffer.Unpooled;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelFutureListener;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInitializer;
import io.grpc.netty.shaded.io.netty.channel.SimpleChannelInboundHandler;
import io.grpc.netty.shaded.io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.grpc.netty.shaded.io.netty.handler.codec.http.FullHttpRequest;
import io.grpc.netty.shaded.io.netty.handler.codec.http.HttpHeaderNames;
import io.grpc.netty.shaded.io.netty.handler.codec.http.HttpMethod;
import io.grpc.netty.shaded.io.netty.handler.codec.http.HttpObjectAggregator;
import io.grpc.netty.shaded.io.netty.handler.codec.http.HttpResponseStatus;
import io.grpc.netty.shaded.io.netty.handler.codec.http.HttpServerCodec;
import io.grpc.netty.shaded.io.netty.handler.codec.http.HttpVersion;
import io.grpc.netty.shaded.io.netty.handler.timeout.ReadTimeoutHandler;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers {@code GET /metrics} in Prometheus' text format; by default on loopback only (R7).
 *
 * <p>Lifecycle: from {@link #start} to {@link #close}. Threading: the loop; what is told is
 * gathered on the executor. Failure: an address that can't be listened on is logged, and the relay
 * goes on without.
 */
public final class MetricsServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MetricsServer.class);
  private static final int DEFAULT_PORT = 9464;
  private static final int LARGEST_REQUEST = 8192;
  private static final int IDLE_SECONDS = 30;

  private final @Nullable Channel channel;

  private MetricsServer(@Nullable Channel channel) {
    this.channel = channel;
  }

  /**
   * @param address {@code host:port}, or {@code off}
   * @param links may block for a moment
   * @param refusals how often connections were refused, by reason; may block for a moment
   */
  public static MetricsServer start(
      String address,
      Supplier<List<LinkView>> links,
      Supplier<Map<String, Long>> refusals,
      RelayIo io,
      Executor blocking) {
    if (address.isEmpty() || address.equals("off")) {
      return new MetricsServer(null);
    }
    PrometheusRegistry registry = new PrometheusRegistry();
    registry.register(new LinkMetrics(links, refusals));
    try {
      var bound =
          new ServerBootstrap()
              .group(io.group())
              .channel(io.listenerType())
              .childHandler(
                  new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel accepted) {
                      accepted
                          .pipeline()
                          .addLast(
                              new ReadTimeoutHandler(IDLE_SECONDS),
                              new HttpServerCodec(),
                              new HttpObjectAggregator(LARGEST_REQUEST),
                              new Answering(registry, blocking));
                    }
                  })
              .bind(Addresses.resolve(Addresses.parse(address, DEFAULT_PORT)))
              .awaitUninterruptibly();
      if (bound.isSuccess()) {
        LOG.info("metrics at http://{}/metrics", address);
        return new MetricsServer(bound.channel());
      }
      LOG.warn("no metrics: {} can't be listened on: {}", address, bound.cause().getMessage());
    } catch (IllegalArgumentException e) {
      LOG.warn("no metrics: {}", e.getMessage());
    }
    return new MetricsServer(null);
  }

  @Override
  public void close() {
    if (channel != null) {
      var _ = channel.close().awaitUninterruptibly();
    }
  }

  private static final class Answering extends SimpleChannelInboundHandler<FullHttpRequest> {
    private final PrometheusRegistry registry;
    private final Executor blocking;
    private final PrometheusTextFormatWriter format = PrometheusTextFormatWriter.create();

    Answering(PrometheusRegistry registry, Executor blocking) {
      this.registry = registry;
      this.blocking = blocking;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
      if (!request.method().equals(HttpMethod.GET)) {
        answer(context, HttpResponseStatus.METHOD_NOT_ALLOWED, "text/plain", new byte[0]);
      } else if (!request.uri().equals("/metrics")) {
        answer(
            context,
            HttpResponseStatus.NOT_FOUND,
            "text/plain",
            "see /metrics\n".getBytes(StandardCharsets.UTF_8));
      } else {
        blocking.execute(() -> {
          ByteArrayOutputStream text = new ByteArrayOutputStream();
          try {
            format.write(text, registry.scrape());
            answer(context, HttpResponseStatus.OK, format.getContentType(), text.toByteArray());
          } catch (IOException | RuntimeException e) {
            LOG.warn("metrics can't be told", e);
            answer(context, HttpResponseStatus.INTERNAL_SERVER_ERROR, "text/plain", new byte[0]);
          }
        });
      }
    }

    private static void answer(
        ChannelHandlerContext context, HttpResponseStatus status, String type, byte[] content) {
      DefaultFullHttpResponse response =
          new DefaultFullHttpResponse(
              HttpVersion.HTTP_1_1, status, Unpooled.wrappedBuffer(content));
      response
          .headers()
          .set(HttpHeaderNames.CONTENT_TYPE, type)
          .setInt(HttpHeaderNames.CONTENT_LENGTH, content.length)
          .set(HttpHeaderNames.CONNECTION, "close");
      context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }
}
