package dev.towline.proxy.uplink;

import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.SynchronizationContext;
import org.jspecify.annotations.Nullable;

/**
 * One attempt to hold a lane: a call on a connection of its own, from its hello to its end.
 *
 * <p>Threading: gRPC's callbacks pass through the serial order, where all else runs.
 */
final class LaneStream extends ClientCall.Listener<DownlinkFrame> implements LanePort {
  private static final int READY_THRESHOLD = 256 << 10;

  private final ManagedChannel channel;
  private final ClientCall<UplinkFrame, DownlinkFrame> call;
  private final SynchronizationContext serial;
  private final UplinkMux mux;
  private final UplinkHello hello;
  private final Owner owner;
  private @Nullable Lane lane;
  private boolean ended;

  /** Hears once that the lane is up, if it comes up, and once that it is over. */
  interface Owner {
    void up(LaneStream stream, String managerId);

    void over(LaneStream stream, Status status);
  }

  LaneStream(
      ManagedChannel channel,
      SynchronizationContext serial,
      UplinkMux mux,
      UplinkHello hello,
      Owner owner) {
    this.channel = channel;
    this.serial = serial;
    this.mux = mux;
    this.hello = hello;
    this.owner = owner;
    this.call =
        channel.newCall(
            UplinkServiceGrpc.getOpenMethod(),
            CallOptions.DEFAULT.withOnReadyThreshold(READY_THRESHOLD));
  }

  void start() {
    call.start(this, new Metadata());
    call.request(1);
    call.sendMessage(UplinkFrame.newBuilder().setHello(hello).build());
  }

  ManagedChannel channel() {
    return channel;
  }

  boolean isUp() {
    return lane != null && !ended;
  }

  /** Gives up; the owner hears that it is over. */
  void cancel(String reason) {
    call.cancel(reason, null);
  }

  /** Says that no more follows; the manager ends the call. */
  void halfClose() {
    if (!ended) {
      call.halfClose();
    }
  }

  @Override
  public boolean isReady() {
    return call.isReady();
  }

  @Override
  public void send(UplinkFrame frame) {
    call.sendMessage(frame);
  }

  @Override
  public void onMessage(DownlinkFrame frame) {
    serial.execute(() -> take(frame));
  }

  @Override
  public void onReady() {
    serial.execute(() -> {
      if (lane != null && !ended) {
        mux.laneReady(lane);
      }
    });
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    serial.execute(() -> close(status));
  }

  private void take(DownlinkFrame frame) {
    if (ended) {
      return;
    }
    if (lane != null) {
      mux.laneFrame(lane, frame);
    } else if (frame.hasWelcome()) {
      owner.up(this, frame.getWelcome().getManagerId());
      lane = mux.laneUp(this, hello.getLane(), frame.getWelcome());
    }
    call.request(1);
  }

  private void close(Status status) {
    if (ended) {
      return;
    }
    ended = true;
    channel.shutdownNow();
    Lane was = lane;
    lane = null;
    if (was != null) {
      mux.laneDown(was);
    }
    owner.over(this, status);
  }
}
