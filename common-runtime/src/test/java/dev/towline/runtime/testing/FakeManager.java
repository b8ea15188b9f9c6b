package dev.towline.runtime.testing;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DirectiveReceipt;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.ProxyNotice;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.UpFrame;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.sealed.SealedLink;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.PeerInterceptor;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.FreePorts;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.buffer.UnpooledByteBufAllocator;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A manager for tests, over real TLS on loopback: directly, or behind a stand-in for a proxy that
 * forwards the sealed bytes. Knows one agent.
 */
public final class FakeManager implements AutoCloseable {
  private static final int CREDIT = 8 << 10;

  private final TestFleet fleet;
  private final Clock clock = Clock.systemUTC();
  private final TestFleet.DirectiveSigner signer;
  private final IssuedIdentity identity;
  private final AtomicLong generation = new AtomicLong();
  private final AtomicLong sequence = new AtomicLong();
  private final AtomicLong lastAccepted = new AtomicLong();
  private final List<FakeConversation> conversations = new CopyOnWriteArrayList<>();
  private final List<StreamObserver<DownFrame>> streams = new CopyOnWriteArrayList<>();
  private final boolean behindProxy;
  private Server server;
  private int port;

  /** Switches, to be set before an agent dials. */
  public volatile long heartbeatIntervalMs = 60_000;

  public volatile long reconnectCapMs = 500;
  public volatile boolean ackResults = true;
  public volatile boolean answerHeartbeats = true;
  public volatile Duration renewedValidity = Duration.ofDays(1);

  /** Every security event that was reported. */
  public final List<SecurityEvent> events = new CopyOnWriteArrayList<>();

  private final InetAddress host;

  private FakeManager(TestFleet fleet, boolean behindProxy, InetAddress host, int at)
      throws IOException {
    this.host = host;
    this.fleet = fleet;
    this.behindProxy = behindProxy;
    this.signer = fleet.directiveSigner("m1");
    this.identity = fleet.issue(Role.MANAGER, "m1");
    // A port that no outgoing connection takes while this manager is away.
    start(at == 0 ? FreePorts.next() : at);
  }

  public static FakeManager direct(TestFleet fleet) throws IOException {
    return new FakeManager(fleet, false, InetAddress.getLoopbackAddress(), 0);
  }

  public static FakeManager behindProxy(TestFleet fleet) throws IOException {
    return new FakeManager(fleet, true, InetAddress.getLoopbackAddress(), 0);
  }

  /** Behind the stand-in of a proxy that listens at this address; port 0 for any. */
  public static FakeManager behindProxy(TestFleet fleet, InetAddress host, int port)
      throws IOException {
    return new FakeManager(fleet, true, host, port);
  }

  public ServerAddress address() {
    return new ServerAddress(host.getHostAddress(), port);
  }

  public TestFleet fleet() {
    return fleet;
  }

  public Clock clock() {
    return clock;
  }

  public List<FakeConversation> conversations() {
    return conversations;
  }

  /** The conversation of this number, counted from 0, once it is welcomed. */
  public FakeConversation conversation(int index) {
    return Await.value(
        "conversation " + index,
        () ->
            conversations.size() > index && conversations.get(index).isWelcomed()
                ? Optional.of(conversations.get(index))
                : Optional.empty());
  }

  /** Cuts every connection without a word; dialling works again at once, at the same port. */
  public void restart() throws IOException {
    close();
    start(port);
  }

  @Override
  public void close() {
    server.shutdownNow();
    try {
      server.awaitTermination(60, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Says through the proxy's stand-in that the way to the manager is lost, and back again. */
  public void loseUpstreamAndFindItAgain() {
    for (StreamObserver<DownFrame> stream : streams) {
      if (stream instanceof ProxyStream proxied && proxied.up != null) {
        proxied.up.loseAndFind();
      }
    }
  }

  /** Asks the agents through the proxy's stand-in to move on. */
  public void drain() {
    for (StreamObserver<DownFrame> stream : streams) {
      stream.onNext(
          DownFrame.newBuilder()
              .setNotice(ProxyNotice.newBuilder().setKind(ProxyNotice.Kind.DRAINING))
              .build());
    }
  }

  /** Changes a byte of the next sealed bytes that go to the agent. */
  public volatile boolean tamperDown;

  String id() {
    return identity.identity().id();
  }

  TestFleet.DirectiveSigner signer() {
    return signer;
  }

  long nextGeneration() {
    return generation.incrementAndGet();
  }

  long nextSequence() {
    return sequence.incrementAndGet();
  }

  public long lastAccepted() {
    return lastAccepted.get();
  }

  void noteReceipt(DirectiveReceipt receipt) {
    if (receipt.getVerdict() == DirectiveReceipt.Verdict.ACCEPTED) {
      lastAccepted.accumulateAndGet(receipt.getSequence(), Math::max);
    }
  }

  private void start(int at) throws IOException {
    IssuedIdentity presented = behindProxy ? fleet.issue(Role.PROXY, "p1") : identity;
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(host, at))
            .sslContext(
                FleetTls.server(
                    () -> Optional.of(presented), fleet.verifier(), ClientAuth.OPTIONAL))
            .permitKeepAliveTime(10, TimeUnit.SECONDS)
            .intercept(new PeerInterceptor(fleet.verifier(), (method, peer, reason) -> {}))
            .addService(new Sessions())
            .build()
            .start();
    port = server.getPort();
  }

  private final class Sessions extends SessionServiceGrpc.SessionServiceImplBase {
    @Override
    public StreamObserver<UpFrame> open(StreamObserver<DownFrame> answers) {
      // Sending to an agent that has gone is no error.
      ((ServerCallStreamObserver<DownFrame>) answers).setOnCancelHandler(() -> {});
      PeerInterceptor.Peer peer = PeerInterceptor.PEER.get();
      var trusted = new PeerCheck.Trusted(peer.identity(), peer.leaf());
      if (behindProxy) {
        var stream = new ProxyStream(answers);
        streams.add(stream);
        stream.up = new ProxiedUp(stream);
        stream.up.ready();
        return stream.up;
      }
      var conversation =
          new FakeConversation(
              FakeManager.this,
              trusted,
              frame -> {
                synchronized (answers) {
                  answers.onNext(DownFrame.newBuilder().setOpen(frame).build());
                }
              });
      conversations.add(conversation);
      return new StreamObserver<>() {
        @Override
        public void onNext(UpFrame frame) {
          conversation.receive(frame.getOpen());
        }

        @Override
        public void onError(Throwable t) {
          conversation.end();
        }

        @Override
        public void onCompleted() {
          conversation.end();
          synchronized (answers) {
            answers.onCompleted();
          }
        }
      };
    }
  }

  /** The stand-in's stream to the agent. */
  private static final class ProxyStream implements StreamObserver<DownFrame> {
    private final StreamObserver<DownFrame> answers;
    ProxiedUp up;

    ProxyStream(StreamObserver<DownFrame> answers) {
      this.answers = answers;
    }

    @Override
    public synchronized void onNext(DownFrame frame) {
      answers.onNext(frame);
    }

    @Override
    public synchronized void onError(Throwable t) {
      answers.onError(t);
    }

    @Override
    public synchronized void onCompleted() {
      answers.onCompleted();
    }
  }

  /** Proxy and the manager behind it in one: counts credit, ends the inner TLS. */
  private final class ProxiedUp implements StreamObserver<UpFrame> {
    private final ProxyStream stream;
    private long upstream;
    private boolean current;
    private long upCredit;
    private long downCredit;
    private ByteString waiting = ByteString.EMPTY;
    private SealedLink<AgentFrame, ManagerFrame> inner;
    private FakeConversation conversation;

    ProxiedUp(ProxyStream stream) {
      this.stream = stream;
    }

    synchronized void ready() {
      upstream++;
      current = false;
      upCredit = CREDIT;
      downCredit = CREDIT;
      waiting = ByteString.EMPTY;
      inner =
          SealedLink.managerEnd(
              SealedChannel.server(
                  FleetTls.innerServer(
                      () -> Optional.of(identity), fleet.verifier(), this::isAgent),
                  fleet.verifier(),
                  this::isAgent,
                  UnpooledByteBufAllocator.DEFAULT));
      inner.start();
      stream.onNext(
          notice(ProxyNotice.Kind.UPSTREAM_READY)
              .setNotice(
                  ProxyNotice.newBuilder()
                      .setKind(ProxyNotice.Kind.UPSTREAM_READY)
                      .setUpstream(upstream)
                      .setInitialCredit(CREDIT))
              .build());
    }

    synchronized void loseAndFind() {
      if (conversation != null) {
        conversation.end();
        conversation = null;
      }
      stream.onNext(notice(ProxyNotice.Kind.UPSTREAM_LOST).build());
      ready();
    }

    private boolean isAgent(NodeIdentity peer) {
      return peer.role() == Role.AGENT;
    }

    @Override
    public synchronized void onNext(UpFrame frame) {
      switch (frame.getPayloadCase()) {
        case UPSTREAM -> current = frame.getUpstream() == upstream;
        case CREDIT -> {
          if (current) {
            downCredit += frame.getCredit();
            drain();
          }
        }
        case SEALED -> {
          if (current) {
            sealed(frame.getSealed());
          }
        }
        default -> stream.onError(Status.INVALID_ARGUMENT.asRuntimeException());
      }
    }

    private void sealed(ByteString bytes) {
      upCredit -= bytes.size();
      if (upCredit < 0) {
        stream.onError(
            Status.RESOURCE_EXHAUSTED.withDescription("more than the credit").asRuntimeException());
        return;
      }
      upCredit += bytes.size();
      stream.onNext(DownFrame.newBuilder().setCredit(bytes.size()).build());
      SealedLink.Step<AgentFrame> step = inner.feed(bytes);
      down(step.outgoing());
      if (step.established() != null) {
        conversation = new FakeConversation(FakeManager.this, step.established(), this::sendSealed);
        conversations.add(conversation);
      }
      for (AgentFrame agentFrame : step.frames()) {
        conversation.receive(agentFrame);
      }
    }

    private synchronized void sendSealed(ManagerFrame frame) {
      down(inner.send(frame).outgoing());
    }

    private void down(List<ByteString> pieces) {
      for (ByteString piece : pieces) {
        waiting = waiting.concat(piece);
      }
      drain();
    }

    private void drain() {
      while (!waiting.isEmpty() && downCredit > 0) {
        int size = (int) Math.min(Math.min(waiting.size(), downCredit), SealedLink.MAX_PIECE);
        byte[] piece = waiting.substring(0, size).toByteArray();
        if (tamperDown) {
          tamperDown = false;
          piece[size - 1] ^= 1;
        }
        stream.onNext(DownFrame.newBuilder().setSealed(ByteString.copyFrom(piece)).build());
        waiting = waiting.substring(size);
        downCredit -= size;
      }
    }

    private DownFrame.Builder notice(ProxyNotice.Kind kind) {
      return DownFrame.newBuilder().setNotice(ProxyNotice.newBuilder().setKind(kind));
    }

    @Override
    public void onError(Throwable t) {
      if (conversation != null) {
        conversation.end();
      }
    }

    @Override
    public void onCompleted() {
      if (conversation != null) {
        conversation.end();
      }
      stream.onCompleted();
    }
  }
}
