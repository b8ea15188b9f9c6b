package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ChildFrame;
import dev.towline.proto.v1.Chunk;
import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.ParentFrame;
import dev.towline.proto.v1.ParentHello;
import dev.towline.proto.v1.RelayServiceGrpc;
import dev.towline.relay.status.LinkView;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.testing.Requirement;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.net.Socket;
import java.net.SocketException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Failure 3 of the research, rathole 470: a control stream that ends at one side only, while the
 * connection below it stands. What belongs to it must go all the same.
 */
@Timeout(300)
final class ControlStreamTest {
  private static final int STREAMS = 8;

  @Test
  @Requirement("R4")
  void parentHalfClosesItsControlStreamOnly_theChildFreesTheConnection() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address())) {
      ManagedChannel channel =
          NettyChannelBuilder.forAddress("127.0.0.1", pair.childPort)
              .sslContext(
                  FleetTls.client(
                      () -> Optional.of(pair.parentIdentity), pair.fleet.verifier(), _ -> true))
              .build();
      try {
        var stub = RelayServiceGrpc.newStub(channel);
        StreamObserver<ParentFrame> control = stub.hold(new Heard<ChildFrame>());
        control.onNext(
            ParentFrame.newBuilder()
                .setHello(
                    ParentHello.newBuilder()
                        .setNonce(ByteString.copyFrom(new byte[32]))
                        .setInstance("test")
                        .setPingIntervalMs(60_000))
                .build());
        Await.until("the child holds the connection", () -> pair.child.links().size() == 1);
        Heard<Chunk> streams = new Heard<>();
        for (int i = 0; i < STREAMS; i++) {
          var _ = stub.carry(streams);
        }
        Await.until(
            "its streams in reserve",
            () -> pair.child.links().stream().allMatch(link -> link.reserve() == STREAMS));
        // One of them carries something.
        Socket below = Pair.connect(pair.sessionPort());
        Await.until("a stream taken", () -> streams.messages.get() == 1);

        control.onCompleted();

        Await.until("the child lets go of it", () -> pair.child.links().isEmpty());
        Await.until("every stream ended", () -> streams.ends.get() == STREAMS);
        assertThatThrownBy(() -> below.getInputStream().read()).isInstanceOf(SocketException.class);
        // And nothing is placed there any more, though the transport stands.
        Pair.givesUpSoon(pair.child, pair.childPort);
        try (Socket next = Pair.connect(pair.sessionPort())) {
          assertThatThrownBy(() -> next.getInputStream().read())
              .isInstanceOf(SocketException.class);
        }
        assertThat(streams.messages).hasValue(1);
        assertThat(channel.isTerminated()).isFalse();
      } finally {
        channel.shutdownNow();
      }
    }
  }

  @Test
  @Requirement("R4")
  void childEndsItsControlStreamOnly_theParentFreesTheConnection_andDialsAgain() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address());
        StolenChild child = StolenChild.start(pair)) {
      pair.parent.children(List.of(Pair.listed("child-1", child.port(), new byte[0])));
      assertThat(child.open(OpenTunnel.newBuilder().setTargetValue(1).build()).hasOpened())
          .isTrue();
      Await.until("all its connections", () -> child.dials() == Pair.SETTINGS.connections());
      Await.until("the reserve", () -> child.reserve() == 19);

      child.endControl();

      Await.until("all its streams are broken", () -> child.endedStreams() == 20);
      Await.until(
          "the tunnel's socket at the target is gone",
          () -> pair.reports.stream().anyMatch(report -> report.getClosed()));
      Await.until("dialled again", () -> child.dials() == Pair.SETTINGS.connections() + 1);
      Await.until(
          "both up again",
          () ->
              pair.parent.links().stream().filter(link -> link.state() == LinkView.State.UP).count()
                  == Pair.SETTINGS.connections());
    }
  }

  /** Counts what comes. */
  private static final class Heard<T> implements StreamObserver<T> {
    private final AtomicInteger messages = new AtomicInteger();
    private final AtomicInteger ends = new AtomicInteger();

    @Override
    public void onNext(T message) {
      messages.incrementAndGet();
    }

    @Override
    public void onError(Throwable error) {
      ends.incrementAndGet();
    }

    @Override
    public void onCompleted() {
      ends.incrementAndGet();
    }
  }
}
