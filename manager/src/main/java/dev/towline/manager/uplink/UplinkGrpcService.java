package dev.towline.manager.uplink;

import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkServiceGrpc;
import dev.towline.runtime.tls.PeerInterceptor;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/** Lanes of proxies. The proxy is who its certificate says; its hosts are who theirs say. */
public final class UplinkGrpcService extends UplinkServiceGrpc.UplinkServiceImplBase {
  /**
   * Frames asked for at a time: asking for each one wakes the connection's thread each time. What
   * one session may have under way is bounded by its credit.
   */
  private static final int ASKED = 64;

  private final Uplinks uplinks;

  public UplinkGrpcService(Uplinks uplinks) {
    this.uplinks = uplinks;
  }

  @Override
  public StreamObserver<UplinkFrame> open(StreamObserver<DownlinkFrame> responses) {
    ServerCallStreamObserver<DownlinkFrame> call =
        (ServerCallStreamObserver<DownlinkFrame>) responses;
    Port port = new Port(call);
    UplinkLane lane = uplinks.newLane(PeerInterceptor.PEER.get().identity().id(), remote(), port);
    call.setOnCancelHandler(() -> lane.lost("the proxy's connection was lost"));
    call.disableAutoRequest();
    call.request(2 * ASKED);
    return new StreamObserver<>() {
      private int received;

      @Override
      public void onNext(UplinkFrame frame) {
        lane.receive(frame);
        received++;
        if (received == ASKED) {
          received = 0;
          call.request(ASKED);
        }
      }

      @Override
      public void onError(Throwable failure) {
        lane.lost("the proxy's connection was lost");
      }

      @Override
      public void onCompleted() {
        lane.lost("the proxy ended its lane");
        port.complete();
      }
    };
  }

  private static String remote() {
    SocketAddress address = PeerInterceptor.REMOTE_ADDRESS.get();
    return address instanceof InetSocketAddress inet
        ? inet.getAddress().getHostAddress() + ":" + inet.getPort()
        : String.valueOf(address);
  }

  /** Many sessions write to one call. */
  private static final class Port implements UplinkLane.Port {
    private final ServerCallStreamObserver<DownlinkFrame> call;
    private boolean closed;

    Port(ServerCallStreamObserver<DownlinkFrame> call) {
      this.call = call;
    }

    @Override
    public synchronized void send(DownlinkFrame frame) {
      if (!closed && !call.isCancelled()) {
        call.onNext(frame);
      }
    }

    @Override
    public synchronized void fail(String reason) {
      if (!closed) {
        closed = true;
        call.onError(Status.INVALID_ARGUMENT.withDescription(reason).asRuntimeException());
      }
    }

    synchronized void complete() {
      if (!closed) {
        closed = true;
        call.onCompleted();
      }
    }
  }
}
