package dev.towline.it.hostile;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.OpenSession;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkServiceGrpc;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.sealed.SealedLink;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.testing.Await;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.netty.buffer.UnpooledByteBufAllocator;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A lane of the thief's own with one session on it, for an agent that knows nothing of it.
 *
 * <p>Threading: what arrives is handled under this object's lock.
 */
final class OwnUplink implements AutoCloseable {
  private static final long SESSION = 1;

  private final StreamObserver<UplinkFrame> up;
  private final List<ManagerFrame> arrived = new ArrayList<>();
  private @Nullable SealedLink<ManagerFrame, AgentFrame> inner;
  private boolean welcomed;
  private String closed = "";

  OwnUplink(ManagedChannel channel) {
    this.up =
        UplinkServiceGrpc.newStub(channel)
            .open(
                new StreamObserver<>() {
                  @Override
                  public void onNext(DownlinkFrame frame) {
                    handle(frame);
                  }

                  @Override
                  public void onError(Throwable failure) {
                    end(String.valueOf(failure.getMessage()));
                  }

                  @Override
                  public void onCompleted() {
                    end("completed");
                  }
                });
    up.onNext(
        UplinkFrame.newBuilder()
            .setHello(
                UplinkHello.newBuilder().setLane(UplinkHello.Lane.CONTROL).setInstance("thief"))
            .build());
    Await.until("the thief's lane to be welcomed", HostileLab.BOUND, this::isWelcomed);
  }

  /** Announces a session of this name. */
  void open(String claimedIdentity) {
    send(
        UplinkFrame.newBuilder()
            .setOpen(OpenSession.newBuilder().setClaimedIdentity(claimedIdentity)));
  }

  void sealed(ByteString bytes) {
    send(UplinkFrame.newBuilder().setSealed(bytes));
  }

  /** Begins an inner handshake with this certificate. */
  synchronized void handshake(IssuedIdentity identity, PeerVerifier verifier) {
    SealedLink<ManagerFrame, AgentFrame> link =
        SealedLink.agentEnd(
            SealedChannel.client(
                FleetTls.innerClient(
                    () -> Optional.of(identity), verifier, peer -> peer.role() == Role.MANAGER),
                verifier,
                peer -> peer.role() == Role.MANAGER,
                UnpooledByteBufAllocator.DEFAULT));
    inner = link;
    link.start().outgoing().forEach(this::sealed);
  }

  /** Waits until the manager has closed the session; gives the code. */
  String awaitClosed() {
    return Await.value(
        "the thief's session to be closed",
        HostileLab.BOUND,
        () -> Optional.of(closedWith()).filter(code -> !code.isEmpty()));
  }

  synchronized List<ManagerFrame> arrived() {
    return List.copyOf(arrived);
  }

  void send(UplinkFrame.Builder frame) {
    send(SESSION, frame);
  }

  synchronized void send(long session, UplinkFrame.Builder frame) {
    up.onNext(frame.setSession(session).build());
  }

  private synchronized boolean isWelcomed() {
    return welcomed;
  }

  private synchronized String closedWith() {
    return closed;
  }

  private synchronized void handle(DownlinkFrame frame) {
    switch (frame.getFrameCase()) {
      case WELCOME -> welcomed = true;
      case CLOSE -> closed = frame.getClose().getCode();
      case SEALED -> {
        if (inner != null) {
          SealedLink.Step<ManagerFrame> step = inner.feed(frame.getSealed());
          step.outgoing().forEach(this::sealed);
          arrived.addAll(step.frames());
        }
      }
      case CREDIT, KEPT_ACK, SHARE, FRAME_NOT_SET -> {}
    }
  }

  private synchronized void end(String reason) {
    if (closed.isEmpty()) {
      closed = reason;
    }
  }

  @Override
  public synchronized void close() {
    up.onCompleted();
    if (inner != null) {
      inner.release();
    }
  }
}
