package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.ChildFrame;
import dev.towline.proto.v1.ChildHello;
import dev.towline.proto.v1.Chunk;
import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.ParentFrame;
import dev.towline.proto.v1.RelayServiceGrpc;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.testing.Requirement;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A stolen child, with the identity of the real one, against a parent: it asks for what is not on
 * the closed list (research item A2.9).
 */
@Timeout(60)
final class HostileChildTest {

  /** Says hello as the child, takes the streams that come, and opens whatever the test wants. */
  private static final class StolenChild extends RelayServiceGrpc.RelayServiceImplBase {
    private final BlockingQueue<StreamObserver<Chunk>> streams = new LinkedBlockingQueue<>();
    private final BlockingQueue<Chunk> answers = new LinkedBlockingQueue<>();

    @Override
    public StreamObserver<ParentFrame> hold(StreamObserver<ChildFrame> parent) {
      return new StreamObserver<>() {
        @Override
        public void onNext(ParentFrame frame) {
          if (frame.hasHello()) {
            parent.onNext(
                ChildFrame.newBuilder()
                    .setHello(ChildHello.newBuilder().setRelayId("child-1"))
                    .build());
            parent.onNext(ChildFrame.newBuilder().setCarryWanted(20).build());
          } else if (frame.hasPing()) {
            parent.onNext(
                ChildFrame.newBuilder()
                    .setPong(
                        dev.towline.proto.v1.RelayPong.newBuilder()
                            .setNumber(frame.getPing().getNumber()))
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
        public void onError(Throwable error) {}

        @Override
        public void onCompleted() {}
      };
    }

    /** How the parent answers. */
    Chunk open(OpenTunnel wanted) throws InterruptedException {
      StreamObserver<Chunk> stream = streams.poll(20, TimeUnit.SECONDS);
      assertThat(stream).as("a stream of the parent").isNotNull();
      stream.onNext(Chunk.newBuilder().setOpen(wanted).build());
      Chunk answer = answers.poll(20, TimeUnit.SECONDS);
      assertThat(answer).as("the parent's answer").isNotNull();
      return answer;
    }
  }

  @Test
  @Requirement({"R3", "R9"})
  void servicesThatAreNotOnTheList_areRefused_andNothingIsDialled() throws Exception {
    try (Target session = Target.echo();
        Target other = Target.echo();
        Pair pair = new Pair(session.address(), session.address())) {
      StolenChild stolen = new StolenChild();
      Optional<IssuedIdentity> identity = Optional.of(pair.childIdentity);
      int port = Pair.freePort();
      Server server =
          NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port))
              .sslContext(
                  FleetTls.server(() -> identity, pair.fleet.verifier(), ClientAuth.REQUIRE))
              .addService(stolen)
              .build()
              .start();
      try {
        pair.parent.children(List.of(Pair.listed("child-1", port, new byte[0])));

        // Mapped to nothing here, of no name, from the future; an address in a field for something
        // else does not help either.
        for (int target : List.of(0, 3, 4, 99, -1, Integer.MAX_VALUE)) {
          Chunk answer =
              stolen.open(
                  OpenTunnel.newBuilder()
                      .setTargetValue(target)
                      .setSourceAddress(other.address())
                      .addHops(other.address())
                      .build());
          assertThat(answer.getReset().getCode())
              .as("target %d", target)
              .isEqualTo("TARGET_UNKNOWN");
        }
        assertThat(other.accepted()).isEmpty();
        assertThat(session.accepted()).isEmpty();

        // The same child gets what is on the list, so it was the list that refused.
        Chunk good = stolen.open(OpenTunnel.newBuilder().setTargetValue(1).build());
        assertThat(good.hasOpened()).isTrue();
        assertThat(session.accepted()).hasSize(1);
      } finally {
        server.shutdownNow();
      }
    }
  }
}
