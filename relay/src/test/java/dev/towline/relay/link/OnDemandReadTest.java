package dev.towline.relay.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import io.grpc.netty.shaded.io.netty.bootstrap.ServerBootstrap;
import io.grpc.netty.shaded.io.netty.buffer.ByteBuf;
import io.grpc.netty.shaded.io.netty.buffer.Unpooled;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.FixedRecvByteBufAllocator;
import io.grpc.netty.shaded.io.netty.channel.epoll.Epoll;
import io.grpc.netty.shaded.io.netty.channel.socket.ChannelInputShutdownEvent;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A socket that is read when somebody asks, on each transport: nothing comes unasked, and nothing
 * is lost however long nobody asks (research, failure 6: lost data at close).
 */
final class OnDemandReadTest {
  private static final int READ = 1000;
  private static final byte[] END = new byte[0];

  private final BlockingQueue<byte[]> events = new LinkedBlockingQueue<>();
  private final BlockingQueue<Channel> accepted = new LinkedBlockingQueue<>();
  private RelayIo io;

  @AfterEach
  void stop() {
    io.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  @Requirement("R3")
  void read_afterThePeerHalfClosed_bringsEveryByteAndThenTheEnd(boolean epoll) throws Exception {
    InetSocketAddress address = listen(epoll);
    byte[] sent = new byte[20 * READ + 7];
    new Random(1).nextBytes(sent);
    try (Socket peer = new Socket(address.getAddress(), address.getPort())) {
      peer.getOutputStream().write(sent);
      peer.shutdownOutput();
      Channel channel = accepted.poll(60, TimeUnit.SECONDS);
      ByteArrayOutputStream came = new ByteArrayOutputStream();
      int written = 0;
      while (true) {
        // The loop has turned since the last read: the socket waits for nothing now.
        channel.eventLoop().submit(() -> {}).get(60, TimeUnit.SECONDS);
        assertThat(events).as("what came unasked").isEmpty();
        channel.read();
        byte[] next = events.poll(60, TimeUnit.SECONDS);
        assertThat(next).isNotNull().hasSizeLessThanOrEqualTo(READ);
        if (next.length == 0) {
          break;
        }
        came.write(next);
        // Writing between two reads must not lose the reads.
        channel.writeAndFlush(Unpooled.wrappedBuffer(new byte[] {1})).sync();
        written++;
      }
      assertThat(came.toByteArray()).isEqualTo(sent);
      channel.close().sync();
      assertThat(peer.getInputStream().readAllBytes()).hasSize(written);
    }
  }

  @Test
  @Requirement("R4")
  void peerResets_whileNobodyReads_isNoticed() throws Exception {
    assumeTrue(Epoll.isAvailable(), "NIO does not notice before somebody reads or writes");
    InetSocketAddress address = listen(true);
    Socket peer = new Socket(address.getAddress(), address.getPort());
    Channel channel = accepted.poll(60, TimeUnit.SECONDS);
    channel.read();
    peer.getOutputStream().write(1);
    assertThat(events.poll(60, TimeUnit.SECONDS)).containsExactly(1);

    peer.setSoLinger(true, 0);
    peer.close();

    Await.until("the reset to be noticed", Duration.ofSeconds(60), () -> !channel.isOpen());
  }

  private InetSocketAddress listen(boolean epoll) {
    if (epoll) {
      assumeTrue(Epoll.isAvailable());
    }
    io = new RelayIo("on-demand", epoll);
    Channel listener =
        new ServerBootstrap()
            .group(io.group())
            .channel(io.listenerType())
            .childOption(ChannelOption.AUTO_READ, false)
            .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
            .childOption(
                ChannelOption.RECVBUF_ALLOCATOR,
                new FixedRecvByteBufAllocator(READ).maxMessagesPerRead(1))
            .childHandler(new Reader())
            .bind(InetAddress.getLoopbackAddress(), 0)
            .syncUninterruptibly()
            .channel();
    return (InetSocketAddress) listener.localAddress();
  }

  private final class Reader extends ChannelInboundHandlerAdapter {
    @Override
    public boolean isSharable() {
      return true;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
      accepted.add(context.channel());
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ByteBuf read = (ByteBuf) message;
      byte[] bytes = new byte[read.readableBytes()];
      read.readBytes(bytes);
      read.release();
      events.add(bytes);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof ChannelInputShutdownEvent) {
        events.add(END);
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      var _ = context.close();
    }
  }
}
