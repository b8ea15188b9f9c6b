package dev.towline.manager.testing;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveReceipt;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.proto.v1.SignedResult;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.tls.FleetTls;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.stub.StreamObserver;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** The other end of sessions, scripted by a test. */
public final class FakeNode implements AutoCloseable {
  private final ManagerFixture fixture;
  private final IssuedIdentity identity;
  private final List<Session> sessions = new ArrayList<>();
  private HostFacts facts;

  /** What the next Hello says. */
  public long epoch = 1;

  public long lastAccepted;
  public long lastGeneration;
  private long records;

  FakeNode(ManagerFixture fixture, IssuedIdentity identity, HostFacts facts) {
    this.fixture = fixture;
    this.identity = identity;
    this.facts = facts;
  }

  public String id() {
    return identity.identity().id();
  }

  public IssuedIdentity identity() {
    return identity;
  }

  public void rebooted(String bootId) {
    facts = facts.toBuilder().setBootId(bootId).build();
  }

  /** The next Hello says that it is on this machine. */
  public void on(String hardwareId) {
    facts = facts.toBuilder().setHardwareId(hardwareId).build();
  }

  /** The next Hello says that another version runs. */
  public void runs(String version) {
    facts = facts.toBuilder().setProgramVersion(version).build();
  }

  public ManagedChannel channel() {
    return fixture
        .channels()
        .open(
            fixture.address(),
            FleetTls.client(
                () -> Optional.of(identity),
                new PeerVerifier(
                    () -> fixture.services().fleet().anchors(), Revocations.NONE, fixture.clock()),
                peer -> peer.role() == Role.MANAGER));
  }

  /** A session that has said nothing yet. */
  public Session dial() {
    return dial(channel());
  }

  private Session dial(ManagedChannel channel) {
    Session session = new Session(channel);
    sessions.add(session);
    return session;
  }

  /** A session that was welcomed; what it was given is remembered as a real node does. */
  public Session connect() {
    return welcomed(dial());
  }

  /** The same over TLS of the test's own. */
  public Session connect(SslContext tls) {
    return welcomed(dial(fixture.channels().open(fixture.address(), tls)));
  }

  private Session welcomed(Session session) {
    session.hello();
    Welcome welcome = session.take(ManagerFrame::hasWelcome).getWelcome();
    lastGeneration = welcome.getGeneration();
    if (welcome.getStateRolledBack()) {
      epoch = welcome.getNextEpoch();
      lastAccepted = welcome.getLastAcceptedDirective();
      records = 0;
    }
    session.welcome = welcome;
    return session;
  }

  @Override
  public void close() {
    sessions.forEach(Session::drop);
  }

  /** One stream to the manager. */
  public final class Session implements StreamObserver<DownFrame> {
    private final ManagedChannel channel;
    private final StreamObserver<UpFrame> up;
    private final BlockingQueue<ManagerFrame> received = new LinkedBlockingQueue<>();
    private final Deque<ManagerFrame> putBack = new ArrayDeque<>();
    private final byte[] nonce = new byte[32];
    private final CountDownLatch over = new CountDownLatch(1);
    private Welcome welcome = Welcome.getDefaultInstance();

    private Session(ManagedChannel channel) {
      this.channel = channel;
      new SecureRandom().nextBytes(nonce);
      this.up = SessionServiceGrpc.newStub(channel).open(this);
    }

    public Welcome welcome() {
      return welcome;
    }

    public ByteString nonce() {
      return ByteString.copyFrom(nonce);
    }

    public void hello() {
      send(
          AgentFrame.newBuilder()
              .setHello(
                  Hello.newBuilder()
                      .setSessionNonce(nonce())
                      .setFacts(facts)
                      .setEpoch(epoch)
                      .setLastAcceptedDirective(lastAccepted)
                      .setLastGeneration(lastGeneration))
              .build());
    }

    public synchronized void send(AgentFrame frame) {
      up.onNext(UpFrame.newBuilder().setOpen(frame).build());
    }

    /** The next frame of this kind; others stay for later. */
    public ManagerFrame take(Predicate<ManagerFrame> kind) {
      for (ManagerFrame frame : List.copyOf(putBack)) {
        if (kind.test(frame)) {
          putBack.remove(frame);
          return frame;
        }
      }
      long deadline = System.nanoTime() + ManagerFixture.BOUND.toNanos();
      while (true) {
        try {
          ManagerFrame frame = received.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
          if (frame == null) {
            throw new AssertionError("waited in vain for a frame; others: " + putBack);
          }
          if (kind.test(frame)) {
            return frame;
          }
          putBack.add(frame);
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
      }
    }

    /** Whether nothing of this kind has arrived so far. */
    public boolean hasNone(Predicate<ManagerFrame> kind) {
      return putBack.stream().noneMatch(kind) && received.stream().noneMatch(kind);
    }

    public Taken takeDirective() {
      SignedDirective signed = take(ManagerFrame::hasDirective).getDirective();
      try {
        return new Taken(signed, Directive.parseFrom(signed.getDirective()));
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
    }

    public void receipt(Directive directive, DirectiveReceipt.Verdict verdict, String code) {
      if (verdict == DirectiveReceipt.Verdict.ACCEPTED) {
        lastAccepted = directive.getSequence();
      }
      send(
          AgentFrame.newBuilder()
              .setReceipt(
                  DirectiveReceipt.newBuilder()
                      .setDirectiveId(directive.getId())
                      .setSequence(directive.getSequence())
                      .setVerdict(verdict)
                      .setCode(code))
              .build());
    }

    public void accept(Directive directive) {
      receipt(directive, DirectiveReceipt.Verdict.ACCEPTED, "");
    }

    public DirectiveResult result(Directive directive, Outcome outcome, String output) {
      return result(directive, outcome, output, "");
    }

    public DirectiveResult result(
        Directive directive, Outcome outcome, String output, String detail) {
      DirectiveResult result =
          DirectiveResult.newBuilder()
              .setDirectiveId(directive.getId())
              .setDirectiveSequence(directive.getSequence())
              .setAgent(identity.identity().uri())
              .setEpoch(epoch)
              .setRecordSequence(++records)
              .setOutcome(outcome)
              .setOutput(ByteString.copyFromUtf8(output))
              .setDetail(detail)
              .setStartedMs(1)
              .setFinishedMs(2)
              .build();
      send(result, identity.key());
      return result;
    }

    public void send(DirectiveResult result, PrivateKey key) {
      ByteString bytes = result.toByteString();
      send(
          AgentFrame.newBuilder()
              .setResult(
                  SignedResult.newBuilder()
                      .setResult(bytes)
                      .setSignature(
                          ByteString.copyFrom(
                              Signatures.signP256(key, "towline result v1", bytes.toByteArray()))))
              .build());
    }

    /** Breaks the transport. */
    public void drop() {
      channel.shutdownNow();
    }

    @Override
    public void onNext(DownFrame frame) {
      received.add(frame.getOpen());
    }

    @Override
    public void onError(Throwable failure) {
      over.countDown();
    }

    @Override
    public void onCompleted() {
      over.countDown();
    }

    /** Whether the stream ended in time. */
    public boolean ended() throws InterruptedException {
      return over.await(ManagerFixture.BOUND.toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  /** A directive as it arrived. */
  public record Taken(SignedDirective signed, Directive directive) {}
}
