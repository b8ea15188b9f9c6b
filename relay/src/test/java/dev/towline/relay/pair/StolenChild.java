package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.ChildFrame;
import dev.towline.proto.v1.ChildHello;
import dev.towline.proto.v1.Chunk;
import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.ParentFrame;
import dev.towline.proto.v1.RelayPong;
import dev.towline.proto.v1.RelayServiceGrpc;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.testing.FreePorts;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A server with the identity of the real child that does what a test wants: says hello, takes the
 * streams of its first connection, opens whatever it is told to.
 */
final class StolenChild extends RelayServiceGrpc.RelayServiceImplBase implements AutoCloseable {
  private static final int FIRST_STREAMS = 20;

  private final int port;
  private final Server server;
  private final BlockingQueue<StreamObserver<ChildFrame>> controls = new LinkedBlockingQueue<>();
  private final BlockingQueue<StreamObserver<Chunk>> streams = new LinkedBlockingQueue<>();
  private final BlockingQueue<Chunk> answers = new LinkedBlockingQueue<>();
  private final AtomicInteger endedStreams = new AtomicInteger();
  private final AtomicInteger dials = new AtomicInteger();

  private StolenChild(Pair pair) throws IOException {
    Optional<IssuedIdentity> identity = Optional.of(pair.childIdentity);
    port = FreePorts.next();
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port))
            .sslContext(FleetTls.server(() -> identity, pair.fleet.verifier(), ClientAuth.REQUIRE))
            .maxConcurrentCallsPerConnection(10_000)
            .addService(this)
            .build();
  }

  static StolenChild start(Pair pair) throws IOException {
    StolenChild child = new StolenChild(pair);
    child.server.start();
    return child;
  }

  int port() {
    return port;
  }

  /** Control streams that came so far. */
  int dials() {
    return dials.get();
  }

  /** Streams that the parent ended or broke. */
  int endedStreams() {
    return endedStreams.get();
  }

  int reserve() {
    return streams.size();
  }

  /** Wants more streams on the first connection. */
  void askFor(int count) {
    StreamObserver<ChildFrame> control = controls.element();
    synchronized (control) {
      control.onNext(ChildFrame.newBuilder().setCarryWanted(count).build());
    }
  }

  /** Ends the control stream of the first connection, and nothing else of it. */
  void endControl() {
    StreamObserver<ChildFrame> control = controls.element();
    synchronized (control) {
      control.onCompleted();
    }
  }

  /** How the parent answers. */
  Chunk open(OpenTunnel wanted) throws InterruptedException {
    StreamObserver<Chunk> stream = streams.poll(60, TimeUnit.SECONDS);
    assertThat(stream).as("a stream of the parent").isNotNull();
    stream.onNext(Chunk.newBuilder().setOpen(wanted).build());
    Chunk answer = answers.poll(60, TimeUnit.SECONDS);
    assertThat(answer).as("the parent's answer").isNotNull();
    return answer;
  }

  @Override
  public StreamObserver<ParentFrame> hold(StreamObserver<ChildFrame> parent) {
    dials.incrementAndGet();
    controls.add(parent);
    return new StreamObserver<>() {
      @Override
      public void onNext(ParentFrame frame) {
        // The test speaks on this stream too.
        synchronized (parent) {
          answer(frame);
        }
      }

      private void answer(ParentFrame frame) {
        if (frame.hasHello()) {
          parent.onNext(
              ChildFrame.newBuilder()
                  .setHello(ChildHello.newBuilder().setRelayId("child-1"))
                  .build());
          if (frame.getHello().getConnection() == 0) {
            parent.onNext(ChildFrame.newBuilder().setCarryWanted(FIRST_STREAMS).build());
          }
        } else if (frame.hasPing()) {
          parent.onNext(
              ChildFrame.newBuilder()
                  .setPong(RelayPong.newBuilder().setNumber(frame.getPing().getNumber()))
                  .build());
        }
      }

      @Override
      public void onError(Throwable error) {}

      @Override
      public void onCompleted() {}
    };
  }

  @Override
  public StreamObserver<Chunk> carry(StreamObserver<Chunk> parent) {
    streams.add(parent);
    return new StreamObserver<>() {
      @Override
      public void onNext(Chunk chunk) {
        answers.add(chunk);
      }

      @Override
      public void onError(Throwable error) {
        endedStreams.incrementAndGet();
      }

      @Override
      public void onCompleted() {
        endedStreams.incrementAndGet();
      }
    };
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
