package dev.towline.manager.uplink;

import static dev.towline.manager.testing.ManagerFixture.BOUND;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.events.EventRecord;
import dev.towline.manager.logs.LogLevel;
import dev.towline.manager.logs.LogQuery;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.AgentRecord;
import dev.towline.proto.v1.ClientChange;
import dev.towline.proto.v1.Departure;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.KeptGap;
import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.ResultPart;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.proto.v1.SignedRecord;
import dev.towline.proto.v1.SignedResult;
import dev.towline.proto.v1.SpoolQueue;
import dev.towline.proto.v1.TargetState;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.sealed.RecordSeal;
import dev.towline.testing.Await;
import dev.towline.testing.Promised;
import dev.towline.testing.Requirement;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions through a scripted proxy, honest and not. */
@Requirement("P3")
final class UplinkTest {
  @TempDir java.nio.file.Path directory;

  private ManagerFixture fixture;
  private FakeProxy proxy;
  private FakeNode host;

  @BeforeEach
  void start() {
    fixture = new ManagerFixture(directory);
    fixture.services().proxyClusters().create("dc1", "proxy.example", "", 0, 0);
    var token =
        fixture
            .services()
            .tokens()
            .create(
                NewToken.infrastructure(
                    Role.PROXY, "proxy-1", "", "dc1", Duration.ofHours(1), "test"));
    proxy =
        FakeProxy.connect(
            fixture,
            fixture.node(
                fixture.enrolled(token, fixture.facts("proxy-1")), fixture.facts("proxy-1")));
    host = fixture.host("web-1");
  }

  @AfterEach
  void stop() throws Exception {
    proxy.close();
    fixture.close();
  }

  @Test
  void session_throughAProxy_isTheAgentsOwn() {
    FakeProxy.Inner inner = connected();
    var node = fixture.services().hosts().host("web-1");
    assertThat(node.presence()).isEqualTo(Presence.ONLINE);
    assertThat(node.path().getKind()).isEqualTo(Path.Kind.PROXY);
    assertThat(node.path().getHops(0).getId()).isEqualTo(proxy.id());
    assertThat(node.path().getSourceAddress()).isEqualTo("192.0.2.7:1234");
    assertThat(node.tlsCipherSuite()).startsWith("TLS_");
    var member = fixture.services().proxyClusters().proxies("dc1").getFirst();
    assertThat(member.clients()).isEqualTo(1);
    fixture.noOp("web-1");
    assertThat(FakeProxy.take(inner.received, ManagerFrame::hasDirective)).isNotNull();
  }

  @Test
  void credit_exhausted_nothingMoreIsSentUntilGranted() {
    FakeProxy.Inner inner = connected();
    inner.stopGranting();
    for (int i = 0; i < 100; i++) {
      fixture.noOp("web-1");
    }
    Await.until(
        "the credit to be used up",
        BOUND,
        () -> inner.sealedBytesSinceCredit == UplinkLane.INITIAL_CREDIT);
    inner.grantsCredit = true;
    proxy.send(UplinkFrame.newBuilder().setSession(1).setCredit(UplinkLane.INITIAL_CREDIT).build());
    Await.until(
        "all directives",
        BOUND,
        () -> inner.received.stream().filter(ManagerFrame::hasDirective).count() == 100);
  }

  @Test
  void lane_lost_endsItsSessions() {
    connected();
    proxy.close();
    fixture.awaitPresence("web-1", Presence.OFFLINE);
  }

  @Test
  @Requirement("P7")
  void kept_sentAgainAndForged_isStoredOnceAndAcknowledgedInOrder() {
    var host7 = fixture.host("web-7");
    proxy.send(kept(1, signed(host7, host7, 1, "one", "two")));
    assertThat(proxy.takeKeptAck()).isEqualTo(1);
    // After a break, from the last acknowledgement that came through.
    proxy.send(kept(1, signed(host7, host7, 1, "one", "two")));
    proxy.send(kept(2, signed(host7, host, 3, "invented")));
    proxy.send(
        UplinkFrame.newBuilder()
            .setKept(
                KeptRecord.newBuilder()
                    .setSequence(9)
                    .setGap(KeptGap.newBuilder().putLost("log", 5).setSpool("s")))
            .build());
    Await.until("the last acknowledgement", BOUND, () -> proxy.takeKeptAck() == 9);
    var query = new LogQuery(host7.id(), LogLevel.DEBUG, "", 0, false, 0, 0, 100);
    assertThat(fixture.services().logs().list(query).stream().map(l -> l.record().getMessage()))
        .containsExactly("two", "one");
    assertThat(fixture.event("log.forged").subject()).isEqualTo(host7.id());
    assertThat(fixture.event("spool.lost").detail()).contains("log=5");
  }

  @Test
  @Requirement({"P7", "T3"})
  void kept_resultAndDepartureOfAnAgentThatIsGone_areThereOnce() {
    FakeNode host7 = fixture.host("web-7");
    var session = host7.connect();
    var action = fixture.noOp("web-7");
    var directive = session.takeDirective().directive();
    session.accept(directive);
    session.drop();
    fixture.awaitPresence("web-7", Presence.OFFLINE);
    SealedRecord result =
        sealed(host7, host7, AgentRecord.newBuilder().setResult(result(host7, directive)));
    SealedRecord departure =
        sealed(
            host7,
            host7,
            AgentRecord.newBuilder()
                .setDeparture(
                    Departure.newBuilder()
                        .setReason(Goodbye.Reason.HOST_SHUTDOWN)
                        .setGeneration(session.welcome().getGeneration())
                        .setTimeMs(1_000)));
    proxy.send(kept(1, result));
    proxy.send(kept(2, departure));
    // After a break.
    proxy.send(kept(1, result));
    proxy.send(kept(2, departure));
    proxy.send(
        kept(3, sealed(host7, host, AgentRecord.newBuilder().setResult(result(host, directive)))));
    proxy.send(
        UplinkFrame.newBuilder()
            .setKept(
                KeptRecord.newBuilder()
                    .setQueue(SpoolQueue.SPOOL_QUEUE_RECORDS)
                    .setSequence(4)
                    .setChange(
                        ClientChange.newBuilder()
                            .setAgent(host7.identity().identity().uri())
                            .setCame(true)
                            .setTimeMs(2_000)
                            .setSourceAddress("192.0.2.9")))
            .build());
    Await.until("the last acknowledgement", BOUND, () -> proxy.takeKeptAck() == 4);

    assertThat(fixture.services().hosts().host("web-7").presence()).isEqualTo(Presence.SHUT_DOWN);
    var target = fixture.services().actions().action(action.getId()).getTargets(0);
    assertThat(target.getState()).isEqualTo(TargetState.TARGET_STATE_ENDED);
    assertThat(target.getOutput().toStringUtf8()).isEqualTo("done");
    assertThat(fixture.services().events().list("", host7.id(), 0, 100))
        .extracting(EventRecord::code)
        .containsOnlyOnce("host.said_goodbye", "host.came", "record.forged");
    assertThat(fixture.event("host.came").reporter()).contains(proxy.id());
    // A newer session is not ended by what was said in an earlier one.
    host7.connect();
    proxy.send(kept(5, departure));
    Await.until("its acknowledgement", BOUND, () -> proxy.takeKeptAck() == 5);
    assertThat(fixture.services().hosts().host("web-7").presence()).isEqualTo(Presence.ONLINE);
  }

  @Test
  @Requirement("P7")
  void kept_partsOfALargeResult_inAnyOrderAndTwice_areTheResultOnce() {
    FakeNode host7 = fixture.host("web-7");
    var session = host7.connect();
    var action = fixture.noOp("web-7");
    var directive = session.takeDirective().directive();
    session.accept(directive);
    session.drop();
    SignedResult whole = result(host7, directive);
    int half = whole.getResult().size() / 2;
    SealedRecord first = part(host7, whole, 0, whole.getResult().substring(0, half));
    SealedRecord second = part(host7, whole, 1, whole.getResult().substring(half));

    proxy.send(kept(1, second));
    proxy.send(kept(2, second));
    Await.until("an acknowledgement", BOUND, () -> proxy.takeKeptAck() == 2);
    assertThat(fixture.services().actions().action(action.getId()).getEnded()).isFalse();
    proxy.send(kept(3, first));
    proxy.send(kept(4, first));

    Await.until("the last acknowledgement", BOUND, () -> proxy.takeKeptAck() == 4);
    var target = fixture.services().actions().action(action.getId()).getTargets(0);
    assertThat(target.getState()).isEqualTo(TargetState.TARGET_STATE_ENDED);
    assertThat(target.getOutput().toStringUtf8()).isEqualTo("done");
  }

  private SealedRecord part(FakeNode of, SignedResult whole, int number, ByteString content) {
    return sealed(
        of,
        of,
        AgentRecord.newBuilder()
            .setPart(
                ResultPart.newBuilder()
                    .setEpoch(1)
                    .setRecordSequence(1)
                    .setNumber(number)
                    .setParts(2)
                    .setContent(content)
                    .setSignature(whole.getSignature())));
  }

  private static UplinkFrame kept(long sequence, SealedRecord record) {
    return UplinkFrame.newBuilder()
        .setKept(
            KeptRecord.newBuilder()
                .setQueue(SpoolQueue.SPOOL_QUEUE_RECORDS)
                .setSequence(sequence)
                .setSealed(record))
        .build();
  }

  private static SignedResult result(FakeNode of, Directive directive) {
    byte[] bytes =
        DirectiveResult.newBuilder()
            .setDirectiveId(directive.getId())
            .setDirectiveSequence(directive.getSequence())
            .setAgent(of.identity().identity().uri())
            .setEpoch(1)
            .setRecordSequence(1)
            .setOutcome(Outcome.OUTCOME_SUCCEEDED)
            .setOutput(ByteString.copyFromUtf8("done"))
            .build()
            .toByteArray();
    return SignedResult.newBuilder()
        .setResult(ByteString.copyFrom(bytes))
        .setSignature(
            ByteString.copyFrom(
                Signatures.signP256(of.identity().key(), "towline result v1", bytes)))
        .build();
  }

  private SealedRecord sealed(FakeNode of, FakeNode signer, AgentRecord.Builder record) {
    String agent = of.identity().identity().uri();
    byte[] bytes = record.setAgent(agent).build().toByteArray();
    SignedRecord signed =
        SignedRecord.newBuilder()
            .setRecord(ByteString.copyFrom(bytes))
            .setSignature(
                ByteString.copyFrom(
                    Signatures.signP256(signer.identity().key(), "towline record v1", bytes)))
            .build();
    return RecordSeal.seal(
        fixture.services().fleet().recordsKey().toByteArray(),
        agent,
        RecordClass.RECORD_CLASS_RESULT,
        "r",
        signed.toByteArray());
  }

  private static UplinkFrame kept(long sequence, SignedLogBatch batch) {
    return UplinkFrame.newBuilder()
        .setKept(KeptRecord.newBuilder().setSequence(sequence).setLogBatch(batch))
        .build();
  }

  private static SignedLogBatch signed(
      FakeNode of, FakeNode signer, long first, String... messages) {
    LogBatch.Builder batch =
        LogBatch.newBuilder()
            .setAgent(of.identity().identity().uri())
            .setEpoch(1)
            .setFirstSequence(first);
    for (String message : messages) {
      batch.addRecords(LogRecord.newBuilder().setLevel("INFO").setMessage(message));
    }
    byte[] bytes = batch.build().toByteArray();
    return SignedLogBatch.newBuilder()
        .setBatch(ByteString.copyFrom(bytes))
        .setSignature(
            ByteString.copyFrom(
                Signatures.signP256(signer.identity().key(), "towline logs v1", bytes)))
        .build();
  }

  @Test
  @Requirement("T3")
  void identity_claimedByTheProxyForAnother_isAnEventAndNoSession() {
    FakeNode other = fixture.host("web-2");
    FakeProxy.Inner inner = proxy.open(host, other.identity().identity().uri());
    FakeProxy.take(inner.closed, frame -> true);
    fixture.event("session.identity_mismatch");
    assertThat(fixture.services().hosts().host("web-2").presence()).isEqualTo(Presence.NEW);
  }

  @Test
  @Requirement("T3")
  void heartbeat_inventedByTheProxy_breaksTheSessionWithAnEvent() {
    FakeProxy.Inner inner = connected();
    inner.raw(
        AgentFrame.newBuilder()
            .setHeartbeat(Heartbeat.newBuilder().setNumber(7).putCounters("invented", 1))
            .build()
            .toByteString());
    FakeProxy.take(inner.closed, frame -> true);
    fixture.event("session.tampered");
  }

  @Test
  @Requirement("T3")
  void revoke_sessionThroughAProxy_isCutWithinFiveSeconds() throws Exception {
    FakeProxy.Inner inner = connected();
    long from = System.nanoTime();
    fixture.services().sessions().revoke(host.id(), "stolen");
    assertThat(FakeProxy.take(inner.received, ManagerFrame::hasClosed).getClosed().getCode())
        .isEqualTo("CERTIFICATE_REVOKED");
    FakeProxy.take(inner.closed, frame -> true);
    assertThat(Duration.ofNanos(System.nanoTime() - from))
        .isLessThan(Promised.within(Duration.ofSeconds(5)));
    // And does not come back by the same way.
    FakeProxy.Inner again = proxy.open(host, host.identity().identity().uri());
    FakeProxy.take(again.closed, frame -> true);
  }

  @Test
  void sealedBytes_ofASessionThatNeverBegan_areAnEvent() {
    proxy.send(
        UplinkFrame.newBuilder()
            .setSession(77)
            .setSealed(ByteString.copyFromUtf8("whatever"))
            .build());
    fixture.event("uplink.unknown_session");
  }

  @Test
  @Requirement("T3")
  void uplink_ofAnAgent_isDenied() {
    FakeProxy.dial(fixture, host);
    assertThat(fixture.event("rpc.denied").subject()).contains("/agent/");
  }

  private FakeProxy.Inner connected() {
    FakeProxy.Inner inner = proxy.open(host, host.identity().identity().uri());
    inner.awaitEstablished();
    inner.say(
        AgentFrame.newBuilder()
            .setHello(
                Hello.newBuilder()
                    .setSessionNonce(ByteString.copyFrom(new byte[32]))
                    .setFacts(fixture.facts("web-1"))
                    .setEpoch(1))
            .build());
    FakeProxy.take(inner.received, ManagerFrame::hasWelcome);
    return inner;
  }
}
