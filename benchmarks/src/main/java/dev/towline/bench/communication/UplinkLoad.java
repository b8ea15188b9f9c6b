package dev.towline.bench.communication;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.OpenSession;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkServiceGrpc;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.TrustAnchors;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.sealed.SealedLink;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.FleetTls;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.netty.buffer.UnpooledByteBufAllocator;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A proxy's uplinks with as many agents as wanted, each a distinct one with its own inner TLS, that
 * send heartbeats as fast as the manager's credit allows, or at a rate.
 *
 * <p>On its standard output: {@code load online} when every agent is welcomed, then each second how
 * many heartbeats were handed to the transport, {@code load warm} when measuring begins, and {@code
 * load done} with what was sent since then.
 */
public final class UplinkLoad {
  private static final int LANES = 4;

  private final Clock clock = Clock.systemUTC();
  private final SecureRandom random = new SecureRandom();
  private final AtomicLong sent = new AtomicLong();
  private final CountDownLatch welcomed;
  private final int agents;

  private UplinkLoad(int agents) {
    this.agents = agents;
    this.welcomed = new CountDownLatch(agents);
  }

  /**
   * @param arguments directory, enrollment file of the proxy, enrollment file of the agents, their
   *     number, heartbeats per second, seconds before measuring, seconds of measuring
   */
  public static void main(String[] arguments) throws Exception {
    new UplinkLoad(Integer.parseInt(arguments[3]))
        .run(
            Path.of(arguments[0]),
            EnrollmentFile.read(Path.of(arguments[1])),
            EnrollmentFile.read(Path.of(arguments[2])),
            Integer.parseInt(arguments[4]),
            Integer.parseInt(arguments[5]),
            Integer.parseInt(arguments[6]));
  }

  private void run(
      Path directory,
      EnrollmentFile proxyFile,
      EnrollmentFile agentFile,
      int rate,
      int warming,
      int seconds)
      throws Exception {
    var channels = new FleetChannels(Thread.ofPlatform().daemon().factory());
    var client = new EnrollmentClient(channels, clock, random);
    EnrollmentOutcome.Issued proxy =
        LoadHosts.enroll(client, proxyFile, directory.resolve("proxy"), "load-proxy");
    var anchors = new TrustAnchors(proxyFile.fleet(), proxy.roots());
    var verifier = new PeerVerifier(() -> anchors, Revocations.NONE, clock);
    List<Lane> lanes = new ArrayList<>();
    SslContext outer =
        FleetTls.client(
            () -> Optional.of(proxy.identity()), verifier, peer -> peer.role() == Role.MANAGER);
    for (int i = 0; i < LANES; i++) {
      lanes.add(new Lane(channels.open(proxyFile.servers().getFirst(), outer)));
    }
    LoadHosts.each(
        agents,
        i -> {
          String name = "beat-" + i;
          IssuedIdentity identity =
              LoadHosts.enroll(client, agentFile, directory.resolve(name), name).identity();
          Lane lane = lanes.get(i % LANES);
          lane.post(() -> lane.open(identity, name, verifier));
        });
    welcomed.await();
    System.out.println("load online");
    long from = System.nanoTime();
    lanes.forEach(lane -> lane.post(() -> lane.beat(from, rate / LANES)));
    report(from, 1, warming);
    long warm = System.nanoTime();
    long before = sent.get();
    System.out.println("load warm");
    report(from, warming + 1, warming + seconds);
    long took = System.nanoTime() - warm;
    System.out.println(
        "load done %d in %d ms"
            .formatted(sent.get() - before, TimeUnit.NANOSECONDS.toMillis(took)));
    lanes.forEach(lane -> lane.stopped = true);
    // Sessions stay open until this process is ended.
    Thread.currentThread().join();
  }

  private void report(long from, int first, int last) throws InterruptedException {
    for (int i = first; i <= last; i++) {
      long until = from + TimeUnit.SECONDS.toNanos(i);
      while (System.nanoTime() < until) {
        TimeUnit.NANOSECONDS.sleep(until - System.nanoTime());
      }
      System.out.println("load sent " + sent.get());
    }
  }

  /** One uplink connection; one thread owns its agents. */
  private final class Lane implements ClientResponseObserver<UplinkFrame, DownlinkFrame> {
    private final BlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
    private final List<Agent> agentsHere = new ArrayList<>();
    private final ClientCallStreamObserver<UplinkFrame> up;
    private volatile boolean stopped;
    private boolean beating;
    private long beatsFrom;
    private int beatsPerSecond;
    private long beats;
    private int credit;

    Lane(ManagedChannel channel) {
      up = (ClientCallStreamObserver<UplinkFrame>) UplinkServiceGrpc.newStub(channel).open(this);
      var hello = UplinkHello.newBuilder().setLane(UplinkHello.Lane.CONTROL).setInstance("load");
      up.onNext(UplinkFrame.newBuilder().setHello(hello).build());
      Thread.ofPlatform().daemon().name("lane").start(this::work);
    }

    void post(Runnable event) {
      events.add(event);
    }

    private void work() {
      try {
        while (true) {
          Runnable event = beating ? events.poll() : events.take();
          while (event != null) {
            event.run();
            event = events.poll();
          }
          if (beating && (stopped || !beatOnce())) {
            event = events.poll(1, TimeUnit.MILLISECONDS);
            if (event != null) {
              event.run();
            }
          }
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    void beat(long from, int perSecond) {
      beating = true;
      beatsFrom = from;
      beatsPerSecond = perSecond;
    }

    /** False when none is due, or nothing more may be sent. */
    private boolean beatOnce() {
      long due = (System.nanoTime() - beatsFrom) / 1_000 * beatsPerSecond / 1_000_000;
      if (beats >= due || !up.isReady()) {
        return false;
      }
      for (int i = 0; i < agentsHere.size() && beats < due; i++) {
        Agent agent = agentsHere.get((int) (beats % agentsHere.size()));
        if (!agent.beat()) {
          return false;
        }
        beats++;
        sent.incrementAndGet();
      }
      return true;
    }

    void open(IssuedIdentity identity, String name, PeerVerifier verifier) {
      if (credit == 0) {
        // Not welcomed yet.
        post(() -> open(identity, name, verifier));
        return;
      }
      Agent agent = new Agent(this, agentsHere.size() + 1, identity, name, verifier);
      agentsHere.add(agent);
      agent.begin();
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<UplinkFrame> call) {}

    @Override
    public void onNext(DownlinkFrame frame) {
      post(() -> {
        if (frame.hasWelcome()) {
          credit = frame.getWelcome().getInitialCredit();
        } else if (frame.getSession() > 0 && frame.getSession() <= agentsHere.size()) {
          agentsHere.get((int) frame.getSession() - 1).receive(frame);
        }
      });
    }

    @Override
    public void onError(Throwable failure) {
      System.out.println("load failed " + failure);
      System.exit(1);
    }

    @Override
    public void onCompleted() {
      System.out.println("load failed: the manager ended the uplink");
      System.exit(1);
    }
  }

  /** An agent behind the uplink. */
  private final class Agent {
    private final Lane lane;
    private final long number;
    private final IssuedIdentity identity;
    private final String name;
    private final SealedLink<ManagerFrame, AgentFrame> inner;
    private long maySend;
    private int taken;
    private long beatNumber;
    private boolean online;

    Agent(Lane lane, long number, IssuedIdentity identity, String name, PeerVerifier verifier) {
      this.lane = lane;
      this.number = number;
      this.identity = identity;
      this.name = name;
      this.inner =
          SealedLink.agentEnd(
              SealedChannel.client(
                  FleetTls.innerClient(
                      () -> Optional.of(identity), verifier, peer -> peer.role() == Role.MANAGER),
                  verifier,
                  peer -> peer.role() == Role.MANAGER,
                  UnpooledByteBufAllocator.DEFAULT));
    }

    void begin() {
      maySend = lane.credit;
      send(
          UplinkFrame.newBuilder()
              .setOpen(
                  OpenSession.newBuilder()
                      .setClaimedIdentity(identity.identity().uri())
                      .setSourceAddress("192.0.2.1:1")));
      sealed(inner.start().outgoing());
    }

    private void send(UplinkFrame.Builder frame) {
      lane.up.onNext(frame.setSession(number).build());
    }

    private void sealed(List<ByteString> pieces) {
      for (ByteString piece : pieces) {
        maySend -= piece.size();
        send(UplinkFrame.newBuilder().setSealed(piece));
      }
    }

    void receive(DownlinkFrame frame) {
      switch (frame.getFrameCase()) {
        case CREDIT -> maySend += Integer.toUnsignedLong(frame.getCredit());
        case CLOSE -> {
          System.out.println("load failed: " + name + ": " + frame.getClose());
          System.exit(1);
        }
        case SEALED -> {
          taken += frame.getSealed().size();
          // As agents do: a little is not worth a frame.
          if (taken >= lane.credit / 4) {
            send(UplinkFrame.newBuilder().setCredit(taken));
            taken = 0;
          }
          var step = inner.feed(frame.getSealed());
          sealed(step.outgoing());
          if (step.established() != null) {
            hello();
          }
          for (ManagerFrame said : step.frames()) {
            if (said.hasWelcome() && !online) {
              online = true;
              welcomed.countDown();
            }
          }
        }
        default -> {}
      }
    }

    private void hello() {
      byte[] nonce = new byte[32];
      random.nextBytes(nonce);
      sealed(
          inner
              .send(
                  AgentFrame.newBuilder()
                      .setHello(
                          Hello.newBuilder()
                              .setSessionNonce(ByteString.copyFrom(nonce))
                              .setFacts(LoadHosts.facts(name))
                              .setEpoch(1))
                      .build())
              .outgoing());
    }

    boolean beat() {
      if (maySend < 128) {
        return false;
      }
      beatNumber++;
      sealed(
          inner
              .send(
                  AgentFrame.newBuilder()
                      .setHeartbeat(
                          Heartbeat.newBuilder()
                              .setNumber(beatNumber)
                              .setTimeMs(clock.millis())
                              .setAckWanted(beatNumber % 5 == 1))
                      .build())
              .outgoing());
      return true;
    }
  }
}
