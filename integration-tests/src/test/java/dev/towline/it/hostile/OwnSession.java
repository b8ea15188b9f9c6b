package dev.towline.it.hostile;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.UpFrame;
import dev.towline.testing.Await;
import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import java.security.SecureRandom;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/**
 * A session that the thief of a proxy holds with the manager in the proxy's own name.
 *
 * <p>Threading: one owner; what arrives is kept until asked for.
 */
final class OwnSession implements AutoCloseable {
  private final List<ManagerFrame> arrived = new CopyOnWriteArrayList<>();
  private final StreamObserver<UpFrame> up;
  private volatile boolean ended;

  private OwnSession(ManagedChannel channel) {
    this.up =
        SessionServiceGrpc.newStub(channel)
            .open(
                new StreamObserver<>() {
                  @Override
                  public void onNext(DownFrame frame) {
                    arrived.add(frame.getOpen());
                  }

                  @Override
                  public void onError(Throwable failure) {
                    ended = true;
                  }

                  @Override
                  public void onCompleted() {
                    ended = true;
                  }
                });
  }

  /** A session before its Hello. */
  static OwnSession silent(ManagedChannel channel) {
    return new OwnSession(channel);
  }

  /** A session that was welcomed. */
  static OwnSession welcomed(ManagedChannel channel) {
    OwnSession session = new OwnSession(channel);
    byte[] nonce = new byte[32];
    new SecureRandom().nextBytes(nonce);
    session.send(
        AgentFrame.newBuilder()
            .setHello(
                Hello.newBuilder()
                    .setSessionNonce(ByteString.copyFrom(nonce))
                    .setEpoch(System.nanoTime())
                    .setLastGeneration(1_000_000)
                    .setFacts(HostFacts.newBuilder().setHostName("stolen-proxy").setOs("linux"))));
    session.await("Welcome", ManagerFrame::hasWelcome);
    return session;
  }

  void send(AgentFrame.Builder frame) {
    up.onNext(UpFrame.newBuilder().setOpen(frame).build());
  }

  ManagerFrame await(String what, Predicate<ManagerFrame> wanted) {
    return Await.value(
        what + " in the proxy's own session, which got " + arrived,
        HostileLab.BOUND,
        () -> arrived.stream().filter(wanted).findFirst());
  }

  Optional<ManagerFrame> find(Predicate<ManagerFrame> wanted) {
    return arrived.stream().filter(wanted).findFirst();
  }

  void awaitEnd() {
    Await.until("the manager to end the proxy's own session", HostileLab.BOUND, () -> ended);
  }

  @Override
  public void close() {
    if (!ended) {
      up.onCompleted();
    }
  }
}
