package dev.towline.proxy;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.ProxyNotice;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.UpFrame;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetTls;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** The outer stream of an agent, by hand. It reads only when it is told how many frames. */
final class TestAgent extends ClientCall.Listener<DownFrame> implements AutoCloseable {
  final List<DownFrame> frames = new CopyOnWriteArrayList<>();
  final List<RecordAck> logAcks = new CopyOnWriteArrayList<>();
  volatile @Nullable Status end;
  final @Nullable IssuedIdentity identity;
  private final ManagedChannel channel;
  private final ClientCall<UpFrame, DownFrame> call;

  TestAgent(TestFleet fleet, @Nullable IssuedIdentity identity, int port) {
    this.identity = identity;
    this.channel = channel(fleet, identity, port);
    this.call = channel.newCall(SessionServiceGrpc.getOpenMethod(), CallOptions.DEFAULT);
    call.start(this, new Metadata());
  }

  static ManagedChannel channel(TestFleet fleet, @Nullable IssuedIdentity identity, int port) {
    return NettyChannelBuilder.forAddress("127.0.0.1", port)
        .sslContext(
            FleetTls.client(
                () -> Optional.ofNullable(identity),
                fleet.verifier(),
                peer -> peer.role() == Role.PROXY || peer.role() == Role.MANAGER))
        .build();
  }

  TestAgent reading(int count) {
    call.request(count);
    return this;
  }

  /** Answers the last UPSTREAM_READY. */
  void answerReady() {
    call.sendMessage(UpFrame.newBuilder().setUpstream(upstream()).build());
  }

  void send(ByteString sealed) {
    call.sendMessage(UpFrame.newBuilder().setSealed(sealed).build());
  }

  void send(UpFrame frame) {
    call.sendMessage(frame);
  }

  void halfClose() {
    call.halfClose();
  }

  /** The number of the last UPSTREAM_READY; 0 when there was none or it was lost since. */
  long upstream() {
    long last = 0;
    for (DownFrame frame : frames) {
      if (frame.hasNotice()) {
        last =
            frame.getNotice().getKind() == ProxyNotice.Kind.UPSTREAM_READY
                ? frame.getNotice().getUpstream()
                : 0;
      }
    }
    return last;
  }

  boolean heard(ProxyNotice.Kind kind) {
    return frames.stream().anyMatch(f -> f.hasNotice() && f.getNotice().getKind() == kind);
  }

  ByteString sealed() {
    ByteString all = ByteString.EMPTY;
    for (DownFrame frame : frames) {
      all = all.concat(frame.getSealed());
    }
    return all;
  }

  String uri() {
    return identity == null ? "" : identity.identity().uri();
  }

  @Override
  public void onMessage(DownFrame frame) {
    if (frame.hasLogAck()) {
      logAcks.add(frame.getLogAck());
    }
    frames.add(frame);
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    end = status;
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
