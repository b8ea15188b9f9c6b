package dev.towline.relay.child;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ChildFrame;
import dev.towline.proto.v1.ChildHello;
import dev.towline.proto.v1.ParentFrame;
import dev.towline.proto.v1.ParentHello;
import dev.towline.relay.child.ChildServer.TransportSlot;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.tls.PeerInterceptor;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import java.time.Duration;
import java.time.InstantSource;
import org.jspecify.annotations.Nullable;

/** The control stream of a persistent connection, at the child. Threading: the loop. */
final class HoldHandler implements ServerCallHandler<ParentFrame, ChildFrame> {
  private static final Duration SHORTEST_PING = Duration.ofMillis(100);
  private static final Duration LONGEST_PING = Duration.ofMinutes(5);

  private final EventLoop loop;
  private final ParentLinks links;
  private final ChildAuthority authority;
  private final String ownId;
  private final InstantSource clock;

  HoldHandler(
      EventLoop loop,
      ParentLinks links,
      ChildAuthority authority,
      String ownId,
      InstantSource clock) {
    this.loop = loop;
    this.links = links;
    this.authority = authority;
    this.ownId = ownId;
    this.clock = clock;
  }

  @Override
  public ServerCall.Listener<ParentFrame> startCall(
      ServerCall<ParentFrame, ChildFrame> call, Metadata headers) {
    TransportSlot slot = call.getAttributes().get(TransportSlot.KEY);
    if (slot == null || slot.held) {
      call.close(
          Status.FAILED_PRECONDITION.withDescription("one control stream for each connection"),
          new Metadata());
      return new ServerCall.Listener<>() {};
    }
    slot.held = true;
    call.sendHeaders(new Metadata());
    call.request(Integer.MAX_VALUE);
    return new Held(call, slot, PeerInterceptor.PEER.get());
  }

  private final class Held extends ServerCall.Listener<ParentFrame> {
    private final ServerCall<ParentFrame, ChildFrame> call;
    private final TransportSlot slot;
    private final PeerInterceptor.Peer peer;
    private @Nullable ParentLink link;

    Held(ServerCall<ParentFrame, ChildFrame> call, TransportSlot slot, PeerInterceptor.Peer peer) {
      this.call = call;
      this.slot = slot;
      this.peer = peer;
    }

    @Override
    public void onMessage(ParentFrame frame) {
      if (link == null) {
        if (frame.hasHello()) {
          hello(frame.getHello());
        } else {
          call.close(
              Status.FAILED_PRECONDITION.withDescription("hello was expected first"),
              new Metadata());
        }
        return;
      }
      switch (frame.getFrameCase()) {
        case PING -> link.pinged(frame.getPing().getNumber());
        case PONG -> link.ponged(frame.getPong().getNumber());
        case DRAIN -> link.drained(frame.getDrain().getOver(), frame.getDrain().getReason());
        case SETTINGS -> link.pingInterval(pingInterval(frame.getSettings().getPingIntervalMs()));
        case HELLO, FRAME_NOT_SET -> {}
      }
    }

    private void hello(ParentHello hello) {
      byte[] proof = authority.proof(peer.leaf(), hello.getNonce().toByteArray());
      call.sendMessage(
          ChildFrame.newBuilder()
              .setHello(
                  ChildHello.newBuilder()
                      .setRelayId(ownId)
                      .setPairingProof(ByteString.copyFrom(proof)))
              .build());
      ParentLink admitted =
          new ParentLink(
              links,
              call,
              loop,
              pingInterval(hello.getPingIntervalMs()),
              new ParentLink.Description(
                  peer.identity().id(),
                  hello.getInstance(),
                  hello.getConnection(),
                  String.valueOf(call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR)),
                  clock.instant()),
              () -> authority.verifier().check(peer.chain()) instanceof PeerCheck.Trusted);
      link = admitted;
      slot.link = admitted;
      admitted.start();
    }

    private static Duration pingInterval(int millis) {
      Duration wanted = Duration.ofMillis(Integer.toUnsignedLong(millis));
      return wanted.compareTo(SHORTEST_PING) < 0
          ? SHORTEST_PING
          : wanted.compareTo(LONGEST_PING) > 0 ? LONGEST_PING : wanted;
    }

    @Override
    public void onHalfClose() {
      ended("the parent closed it");
    }

    @Override
    public void onCancel() {
      ended("the connection broke");
    }

    private void ended(String reason) {
      if (link != null) {
        link.lost(reason);
      }
    }
  }
}
