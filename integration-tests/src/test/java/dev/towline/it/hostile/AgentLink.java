package dev.towline.it.hostile;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.CloseSession;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.OpenSession;
import dev.towline.proto.v1.ProxyNotice;
import dev.towline.proto.v1.UplinkFrame;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;

/**
 * One agent's stream at the hostile proxy and the uplink session that stands for it.
 *
 * <p>Threading: belongs to the proxy's one thread.
 */
final class AgentLink {
  private final HostileProxy proxy;
  private final String identity;
  private final StreamObserver<DownFrame> agent;
  private final List<ByteString> sentDown = new ArrayList<>();
  private final List<ByteString> sentUp = new ArrayList<>();
  private long session;
  private long upstream;
  private boolean ended;

  AgentLink(HostileProxy proxy, String identity, StreamObserver<DownFrame> agent) {
    this.proxy = proxy;
    this.identity = identity;
    this.agent = agent;
  }

  String identity() {
    return identity;
  }

  /** Number of the uplink session. */
  long session() {
    return session;
  }

  boolean isOpen() {
    return !ended;
  }

  /** Everything sealed that went down since the upstream was announced, in order. */
  List<ByteString> sentDown() {
    return List.copyOf(sentDown);
  }

  List<ByteString> sentUp() {
    return List.copyOf(sentUp);
  }

  /** Opens a session at the manager. */
  void openSession(long number, String claim) {
    session = number;
    toManager(
        UplinkFrame.newBuilder()
            .setOpen(
                OpenSession.newBuilder()
                    .setClaimedIdentity(claim)
                    .setSourceAddress("198.51.100.7")));
  }

  void announceUpstream() {
    upstream++;
    sentDown.clear();
    sentUp.clear();
    toAgent(
        DownFrame.newBuilder()
            .setNotice(
                ProxyNotice.newBuilder()
                    .setKind(ProxyNotice.Kind.UPSTREAM_READY)
                    .setUpstream(upstream)
                    .setInitialCredit(proxy.initialCredit()))
            .build());
  }

  void sealedUp(ByteString bytes) {
    sentUp.add(bytes);
    toManager(UplinkFrame.newBuilder().setSealed(bytes));
  }

  void sealedDown(ByteString bytes) {
    sentDown.add(bytes);
    toAgent(DownFrame.newBuilder().setSealed(bytes).build());
  }

  /** Speaks to the agent in clear, as only a manager that was dialled directly may. */
  void openDown(ManagerFrame frame) {
    toAgent(DownFrame.newBuilder().setOpen(frame).build());
  }

  /** Tells the manager that the agent has gone. */
  void closeUp(String code) {
    toManager(
        UplinkFrame.newBuilder()
            .setClose(CloseSession.newBuilder().setCode(code).setDetail("says the proxy")));
  }

  void toManager(UplinkFrame.Builder frame) {
    proxy.toManager(frame.setSession(session).build());
  }

  void toAgent(DownFrame frame) {
    if (!ended) {
      agent.onNext(frame);
    }
  }

  /** Ends the agent's stream. */
  void endAgent(String reason) {
    if (!ended) {
      ended = true;
      agent.onError(Status.UNAVAILABLE.withDescription(reason).asRuntimeException());
    }
  }

  void gone() {
    ended = true;
  }
}
