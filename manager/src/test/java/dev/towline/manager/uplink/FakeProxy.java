package dev.towline.manager.uplink;

import com.google.protobuf.ByteString;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.OpenSession;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkServiceGrpc;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.sealed.SealedLink;
import dev.towline.runtime.tls.FleetTls;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.netty.buffer.UnpooledByteBufAllocator;
import io.grpc.stub.StreamObserver;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** One control lane of a proxy, scripted by a test. */
final class FakeProxy implements AutoCloseable {
  private final ManagerFixture fixture;
  private final FakeNode node;
  private final ManagedChannel channel;
  private final StreamObserver<UplinkFrame> up;
  private final BlockingQueue<DownlinkFrame> control = new LinkedBlockingQueue<>();
  private final Map<Long, Inner> inner = new ConcurrentHashMap<>();
  private long numbers;

  private FakeProxy(ManagerFixture fixture, FakeNode node) {
    this.fixture = fixture;
    this.node = node;
    this.channel = node.channel();
    this.up =
        UplinkServiceGrpc.newStub(channel)
            .open(
                new StreamObserver<>() {
                  @Override
                  public void onNext(DownlinkFrame frame) {
                    Inner session = inner.get(frame.getSession());
                    if (session == null) {
                      control.add(frame);
                    } else {
                      session.receive(frame);
                    }
                  }

                  @Override
                  public void onError(Throwable failure) {}

                  @Override
                  public void onCompleted() {}
                });
    send(
        UplinkFrame.newBuilder()
            .setHello(
                UplinkHello.newBuilder().setLane(UplinkHello.Lane.CONTROL).setInstance("instance"))
            .build());
  }

  /** A lane that has said hello. */
  static FakeProxy dial(ManagerFixture fixture, FakeNode node) {
    return new FakeProxy(fixture, node);
  }

  /** Waits for the next acknowledgement of what was kept. */
  long takeKeptAck() {
    return take(control, DownlinkFrame::hasKeptAck).getKeptAck().getSequence();
  }

  /** A lane that was welcomed. */
  static FakeProxy connect(ManagerFixture fixture, FakeNode node) {
    FakeProxy proxy = dial(fixture, node);
    if (!take(proxy.control, frame -> true).hasWelcome()) {
      throw new AssertionError("no welcome");
    }
    return proxy;
  }

  String id() {
    return node.id();
  }

  synchronized void send(UplinkFrame frame) {
    up.onNext(frame);
  }

  /** An agent whose inner handshake this proxy carries. */
  Inner open(FakeNode agent, String claimedIdentity) {
    Inner session = new Inner(++numbers, agent);
    inner.put(session.number, session);
    send(
        UplinkFrame.newBuilder()
            .setSession(session.number)
            .setOpen(
                OpenSession.newBuilder()
                    .setClaimedIdentity(claimedIdentity)
                    .setSourceAddress("192.0.2.7:1234"))
            .build());
    session.start();
    return session;
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  static <T> T take(BlockingQueue<T> queue, Predicate<T> wanted) {
    long deadline = System.nanoTime() + ManagerFixture.BOUND.toNanos();
    while (true) {
      try {
        T next = queue.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        if (next == null) {
          throw new AssertionError("waited in vain");
        }
        if (wanted.test(next)) {
          return next;
        }
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  /** The agent's end of one session. */
  final class Inner {
    private final long number;
    private final SealedLink<ManagerFrame, AgentFrame> link;
    final BlockingQueue<ManagerFrame> received = new LinkedBlockingQueue<>();
    final BlockingQueue<DownlinkFrame> closed = new LinkedBlockingQueue<>();
    volatile int sealedBytesSinceCredit;
    volatile boolean grantsCredit = true;
    private final BlockingQueue<Boolean> established = new LinkedBlockingQueue<>();

    private Inner(long number, FakeNode agent) {
      this.number = number;
      PeerVerifier verifier =
          new PeerVerifier(
              () -> fixture.services().fleet().anchors(), Revocations.NONE, fixture.clock());
      this.link =
          SealedLink.agentEnd(
              SealedChannel.client(
                  FleetTls.innerClient(
                      () -> Optional.of(agent.identity()),
                      verifier,
                      peer -> peer.role() == Role.MANAGER),
                  verifier,
                  peer -> peer.role() == Role.MANAGER,
                  UnpooledByteBufAllocator.DEFAULT));
    }

    synchronized void start() {
      forward(link.start());
    }

    synchronized void say(AgentFrame frame) {
      forward(link.send(frame));
    }

    void awaitEstablished() {
      take(established, done -> true);
    }

    void raw(ByteString bytes) {
      FakeProxy.this.send(UplinkFrame.newBuilder().setSession(number).setSealed(bytes).build());
    }

    /** From now on nothing is granted, and what comes is counted from 0. */
    synchronized void stopGranting() {
      grantsCredit = false;
      sealedBytesSinceCredit = 0;
    }

    private synchronized void receive(DownlinkFrame frame) {
      if (frame.hasSealed()) {
        sealedBytesSinceCredit += frame.getSealed().size();
        forward(link.feed(frame.getSealed()));
        if (grantsCredit) {
          FakeProxy.this.send(
              UplinkFrame.newBuilder()
                  .setSession(number)
                  .setCredit(frame.getSealed().size())
                  .build());
        }
      } else if (frame.hasClose()) {
        closed.add(frame);
      }
    }

    private void forward(SealedLink.Step<ManagerFrame> step) {
      step.outgoing().forEach(this::raw);
      received.addAll(step.frames());
      if (step.established() != null) {
        established.add(true);
      }
    }
  }
}
