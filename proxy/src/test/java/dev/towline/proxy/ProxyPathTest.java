package dev.towline.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.EnrollmentRequest;
import dev.towline.proto.v1.EnrollmentResponse;
import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import dev.towline.proto.v1.ProxyNotice;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkReport;
import dev.towline.proto.v1.UplinkServiceGrpc;
import dev.towline.proxy.clients.ClientServer;
import dev.towline.proxy.clients.SessionForwarder;
import dev.towline.proxy.enrollment.EnrollmentForwarder;
import dev.towline.proxy.spool.Exporter;
import dev.towline.proxy.spool.Keeper;
import dev.towline.proxy.spool.SendingPolicy;
import dev.towline.proxy.uplink.UplinkChannels;
import dev.towline.proxy.uplink.UplinkConnector;
import dev.towline.proxy.uplink.UplinkLimits;
import dev.towline.proxy.uplink.UplinkMux;
import dev.towline.proxy.uplink.UplinkStats;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.spool.DiskFiles;
import dev.towline.runtime.spool.Spool;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.HandshakeRefusal;
import dev.towline.runtime.tls.HandshakeWatch;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.SynchronizationContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Agents through the proxy's real parts to a scripted manager, over loopback TLS. */
@Requirement("P6")
class ProxyPathTest {
  private static final Duration BOUND = Duration.ofSeconds(60);

  private final TestFleet fleet = new TestFleet(InstantSource.system());
  private final FakeManager manager = new FakeManager(fleet);
  private final IssuedIdentity proxy = fleet.issue(Role.PROXY, "p1");
  private final AtomicReference<@Nullable Throwable> fault = new AtomicReference<>();
  private final SynchronizationContext serial =
      new SynchronizationContext((thread, e) -> fault.compareAndSet(null, e));
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private final UplinkMux mux = new UplinkMux(UplinkLimits.DEFAULTS, System::nanoTime);
  private final List<String> notes = new CopyOnWriteArrayList<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private UplinkConnector uplink;
  private ClientServer clients;

  @BeforeEach
  void start() throws IOException {
    var channels =
        new UplinkChannels(TlsProfile.MODERN, () -> Optional.of(proxy), fleet.verifier());
    uplink =
        new UplinkConnector(
            mux,
            serial,
            timer,
            List.of(new ServerAddress("127.0.0.1", manager.port())),
            channels::open,
            2,
            "instance-1",
            new SplittableRandom(1),
            new UplinkConnector.Listener() {
              @Override
              public void uplinkUp(String managerId, ServerAddress server) {
                notes.add("up " + managerId);
              }

              @Override
              public void uplinkLost(String reason) {
                notes.add("lost");
              }
            });
    clients =
        new ClientServer(
            new InetSocketAddress("127.0.0.1", 0),
            FleetTls.server(() -> Optional.of(proxy), fleet.verifier(), ClientAuth.OPTIONAL),
            TlsProfile.MODERN,
            fleet.verifier(),
            new SessionForwarder(mux, serial).service(),
            new EnrollmentForwarder(uplink::channel).service(),
            (method, peer, reason) -> notes.add("denied"),
            new HandshakeWatch.Listener() {
              @Override
              public void outsideProfile(String peer, HandshakeRefusal refusal) {
                notes.add("outside profile");
              }

              @Override
              public void failed(String peer, SSLException failure) {
                notes.add("tls failed");
              }
            });
    uplink.start();
    Await.until("both lanes", BOUND, () -> stats().lanes() == 2);
  }

  @AfterEach
  void stop() throws Exception {
    for (AutoCloseable resource : opened) {
      resource.close();
    }
    clients.close();
    uplink.close();
    manager.close();
    timer.shutdownNow();
    assertThat(fault.get()).isNull();
  }

  private UplinkStats stats() {
    var result = new CompletableFuture<UplinkStats>();
    serial.execute(() -> result.complete(mux.stats()));
    return result.join();
  }

  private TestAgent agent(String id) {
    return peer(fleet.issue(Role.AGENT, id));
  }

  private TestAgent peer(@Nullable IssuedIdentity identity) {
    var agent = new TestAgent(fleet, identity, clients.port());
    opened.add(agent);
    return agent;
  }

  private TestAgent announced(String id) {
    TestAgent agent = agent(id).reading(1_000);
    Await.until("announcement of " + id, BOUND, () -> agent.upstream() > 0);
    agent.answerReady();
    return agent;
  }

  private FakeManager.Session sessionOf(TestAgent agent) {
    return Await.value("session", BOUND, () -> manager.sessionOf(agent.uri()));
  }

  private static ByteString bytes(int size, int seed) {
    byte[] bytes = new byte[size];
    new SplittableRandom(seed).nextBytes(bytes);
    return ByteString.copyFrom(bytes);
  }

  @Test
  @Requirement("P14")
  void session_sealedBytes_reachTheManagerAndComeBackUnchanged() {
    TestAgent agent = announced("a1");
    assertThat(sessionOf(agent).open.getSourceAddress()).isEqualTo("127.0.0.1");
    ByteString first = bytes(5_000, 1);
    ByteString second = bytes(3_000, 2);

    agent.send(first);
    agent.send(second);

    Await.until("the echo", BOUND, () -> agent.sealed().size() == 8_000);
    assertThat(agent.sealed()).isEqualTo(first.concat(second));
    agent.send(UpFrame.newBuilder().setCredit(8_000).build());
    Await.until("credit at the manager", BOUND, () -> sessionOf(agent).creditFromAgent == 8_000);
  }

  @Test
  void uplink_manyAgents_usesTwoConnectionsWithDifferentLanes() {
    for (int i = 0; i < 5; i++) {
      announced("a" + i);
    }

    assertThat(manager.hellos)
        .extracting(UplinkHello::getLane)
        .containsExactlyInAnyOrder(UplinkHello.Lane.CONTROL, UplinkHello.Lane.BULK);
    assertThat(manager.hellos).extracting(UplinkHello::getInstance).containsOnly("instance-1");
  }

  @Test
  @Requirement("P7")
  void logBatch_ofAnAgent_isKeptAcknowledgedAndSentOn(@TempDir Path directory) throws Exception {
    Keeper keeper =
        new Keeper(
            new Keeper.Parts(
                "p1",
                quota -> Spool.open(DiskFiles.open(directory), new Spool.Options(quota, 1 << 20)),
                quota ->
                    Spool.open(
                        DiskFiles.open(directory.resolve("records")),
                        new Spool.Options(quota, 1 << 20)),
                new Keeper.Way() {
                  @Override
                  public void send(long number, KeptRecord record) {
                    serial.execute(() -> mux.sendKept(number, record));
                  }

                  @Override
                  public void report(long number, UplinkReport report) {
                    serial.execute(() -> mux.sendReport(number, report));
                  }
                },
                Exporter::open,
                UplinkReport::newBuilder,
                InstantSource.system(),
                System::nanoTime,
                Thread.ofPlatform().daemon().factory()),
            SendingPolicy.usual(directory));
    keeper.start();
    serial.execute(() -> mux.kept(keeper, serial));
    TestAgent agent = announced("a1");
    var content =
        LogBatch.newBuilder()
            .setAgent(agent.uri())
            .setEpoch(7)
            .setFirstSequence(41)
            .addRecords(LogRecord.newBuilder().setMessage("one"))
            .addRecords(LogRecord.newBuilder().setMessage("two"))
            .build();
    var batch = SignedLogBatch.newBuilder().setBatch(content.toByteString()).build();

    agent.send(UpFrame.newBuilder().setLogBatch(batch).build());

    Await.until("acknowledgement", BOUND, () -> !agent.logAcks.isEmpty());
    assertThat(agent.logAcks.getFirst().getBy()).isEqualTo(RecordAck.By.PROXY);
    assertThat(agent.logAcks.getFirst().getEpoch()).isEqualTo(7);
    assertThat(agent.logAcks.getFirst().getSequence()).isEqualTo(42);
    UplinkFrame frame = manager.bulk.take();
    assertThat(frame.getKept().getLogBatch()).isEqualTo(batch);
    Await.until(
        "the manager's acknowledgement",
        BOUND,
        () -> keeper.load().stats().acknowledged() == frame.getKept().getSequence());
    keeper.close();
  }

  @Test
  void slowReader_holdsNobodyUp() {
    TestAgent slow = agent("slow").reading(1);
    Await.until("announcement", BOUND, () -> slow.upstream() > 0);
    slow.answerReady();
    TestAgent quick = announced("quick");
    FakeManager.Session toSlow = sessionOf(slow);
    for (int i = 0; i < 8; i++) {
      toSlow.send(bytes(1_024, i));
    }

    ByteString ping = bytes(100, 9);
    quick.send(ping);

    Await.until("the quick one's echo", BOUND, () -> quick.sealed().equals(ping));
    assertThat(slow.frames).hasSize(1);
    slow.reading(100);
    Await.until("all for the slow one", BOUND, () -> slow.sealed().size() == 8 << 10);
    assertThat(stats().shed()).isZero();
  }

  @Test
  void creditOverrun_ofAnAgent_endsItsSessionOnly() {
    TestAgent greedy = announced("greedy");
    TestAgent honest = announced("honest");
    manager.onSealed = (session, data) -> {};
    long number = sessionOf(greedy).number;

    greedy.send(bytes(8_000, 1));
    greedy.send(bytes(8_000, 2));

    Await.until("the end", BOUND, () -> greedy.end != null);
    assertThat(greedy.end.getDescription()).startsWith(UplinkMux.CREDIT_OVERRUN);
    Await.until("the manager hears", BOUND, () -> manager.closed.contains(number));
    assertThat(honest.end).isNull();
  }

  @Test
  @Requirement("P14")
  void uplinkLost_agentsStayAndAreAnnouncedAgainAtTheRate() {
    List<TestAgent> agents = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      agents.add(announced("a" + i));
    }
    manager.sessionsPerSecond = 10;

    manager.stop();

    for (TestAgent agent : agents) {
      Await.until("the notice", BOUND, () -> agent.heard(ProxyNotice.Kind.UPSTREAM_LOST));
      // Late bytes of the inner connection that is gone.
      agent.send(bytes(100, 7));
    }
    manager.restart();
    Await.until("the first session", BOUND, () -> !manager.sessions.isEmpty());
    long since = System.nanoTime();
    for (TestAgent agent : agents) {
      Await.until("announcement again", BOUND, () -> agent.upstream() == 2);
      agent.answerReady();
      agent.send(bytes(200, agents.indexOf(agent)));
    }
    // 20 sessions at 10 per second; far from none, so that it does not matter when this test looks.
    assertThat(Duration.ofNanos(System.nanoTime() - since)).isGreaterThan(Duration.ofMillis(300));
    for (TestAgent agent : agents) {
      Await.until(
          "the echo", BOUND, () -> agent.sealed().equals(bytes(200, agents.indexOf(agent))));
      assertThat(agent.end).isNull();
    }
    assertThat(notes).containsExactly("up m1", "lost", "up m1");
    assertThat(stats().discardedBytes()).isEqualTo(20 * 100);
  }

  @Test
  void managerCloses_agentsStreamEndsWithTheCode() {
    TestAgent agent = announced("a1");

    sessionOf(agent).close("SESSION_SUPERSEDED");

    Await.until("the end", BOUND, () -> agent.end != null);
    assertThat(agent.end.getDescription()).contains("SESSION_SUPERSEDED");
    Await.until("the client is gone", BOUND, () -> stats().clients() == 0);
  }

  @Test
  void agentLeaves_sessionIsClosedAtTheManager() {
    TestAgent agent = announced("a1");
    TestAgent crashing = announced("a2");
    long number = sessionOf(agent).number;
    long crashed = sessionOf(crashing).number;

    agent.send(bytes(500, 1));
    agent.halfClose();
    crashing.close();

    Await.until("both closed", BOUND, () -> manager.closed.size() == 2);
    assertThat(manager.closed).contains(number, crashed);
    assertThat(stats().announced()).isZero();
  }

  @ParameterizedTest
  @EnumSource(
      value = Role.class,
      names = {"PROXY", "RELAY", "MANAGER"})
  @Requirement("T3")
  void session_ofAnotherRole_isRefused(Role role) {
    TestAgent impostor = peer(fleet.issue(role, "x1")).reading(10);

    Await.until("the refusal", BOUND, () -> impostor.end != null);

    assertThat(impostor.end.getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
    assertThat(manager.sessions).isEmpty();
  }

  @Test
  @Requirement("T3")
  void session_withoutCertificate_isRefused() {
    TestAgent nobody = peer(null).reading(10);

    Await.until("the refusal", BOUND, () -> nobody.end != null);

    assertThat(nobody.end.getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
  }

  @Test
  @Requirement("T3")
  void uplink_openedByAnAgent_isRefusedByManagerAndUnknownAtTheProxy() {
    IssuedIdentity agent = fleet.issue(Role.AGENT, "a1");

    assertThat(uplinkEnd(agent, manager.port()).getCode()).isEqualTo(Status.Code.PERMISSION_DENIED);
    assertThat(uplinkEnd(agent, clients.port()).getCode()).isEqualTo(Status.Code.UNIMPLEMENTED);
  }

  private Status uplinkEnd(IssuedIdentity identity, int port) {
    ManagedChannel channel = TestAgent.channel(fleet, identity, port);
    opened.add(channel::shutdownNow);
    var end = new CompletableFuture<Status>();
    UplinkServiceGrpc.newStub(channel)
        .open(
            new StreamObserver<DownlinkFrame>() {
              @Override
              public void onNext(DownlinkFrame frame) {}

              @Override
              public void onError(Throwable t) {
                end.complete(Status.fromThrowable(t));
              }

              @Override
              public void onCompleted() {
                end.complete(Status.OK);
              }
            });
    return end.join();
  }

  @Test
  @Requirement("I1")
  void enrollment_withoutCertificate_isPassedOnUnchanged() {
    List<EnrollmentResponse> responses = new CopyOnWriteArrayList<>();
    CompletableFuture<Status> end = new CompletableFuture<>();
    StreamObserver<EnrollmentRequest> call = enroll(responses, end);
    var begin = EnrollmentRequest.newBuilder();
    begin.getBeginBuilder().setTokenId("t1");
    var proof = EnrollmentRequest.newBuilder();
    proof.getProofBuilder().setCertificateRequest(bytes(900, 1)).setProof(bytes(32, 2));

    call.onNext(begin.build());
    Await.until("the challenge", BOUND, () -> responses.size() == 1);
    call.onNext(proof.build());

    assertThat(end.join().isOk()).isTrue();
    assertThat(responses.get(0).getChallenge().getNonce().toStringUtf8()).isEqualTo("nonce");
    assertThat(responses.get(1).getRefused().getCode()).isEqualTo("TOKEN_EXPIRED");
    assertThat(manager.enrollments).containsExactly(begin.build(), proof.build());
    assertThat(manager.hellos).hasSize(2);
  }

  @Test
  void enrollment_withoutAWayToTheManager_mayBeTriedAgain() {
    manager.stop();
    Await.until("the loss", BOUND, () -> stats().lanes() == 0);
    CompletableFuture<Status> end = new CompletableFuture<>();

    enroll(new CopyOnWriteArrayList<>(), end);

    assertThat(end.join().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
  }

  private StreamObserver<EnrollmentRequest> enroll(
      List<EnrollmentResponse> responses, CompletableFuture<Status> end) {
    ManagedChannel channel = TestAgent.channel(fleet, null, clients.port());
    opened.add(channel::shutdownNow);
    return EnrollmentServiceGrpc.newStub(channel)
        .enroll(
            new StreamObserver<>() {
              @Override
              public void onNext(EnrollmentResponse response) {
                responses.add(response);
              }

              @Override
              public void onError(Throwable t) {
                end.complete(Status.fromThrowable(t));
              }

              @Override
              public void onCompleted() {
                end.complete(Status.OK);
              }
            });
  }
}
