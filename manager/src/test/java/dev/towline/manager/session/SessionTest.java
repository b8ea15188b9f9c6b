package dev.towline.manager.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.RenewCertificate;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.proto.v1.TunnelReport;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.testing.Promised;
import dev.towline.testing.Requirement;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions of a whole manager with a scripted node at the other end: how they begin and end. */
final class SessionTest {
  /** What is required of a revocation (T3). */
  private static final Duration REVOKED_WITHIN = Promised.within(Duration.ofSeconds(5));

  @TempDir java.nio.file.Path directory;

  private ManagerFixture fixture;

  @BeforeEach
  void start() {
    fixture = new ManagerFixture(directory);
  }

  @AfterEach
  void stop() throws Exception {
    fixture.close();
  }

  @Test
  @Requirement("H1")
  void hello_firstSession_isWelcomedAndOnline() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();

    assertThat(session.welcome().getGeneration()).isEqualTo(1);
    assertThat(session.welcome().getStateRolledBack()).isFalse();
    var node = fixture.services().hosts().host("web-1");
    assertThat(node.state()).isEqualTo(HostState.HOST_STATE_ONLINE);
    assertThat(node.group()).isEqualTo("web");
    assertThat(node.path().getKind()).isEqualTo(Path.Kind.DIRECT);
    assertThat(node.tlsProtocol()).isEqualTo("TLSv1.3");
    assertThat(fixture.services().hosts().list("tag=blue,state=online", 0, "").total())
        .isEqualTo(1);
  }

  @Test
  @Requirement("H1")
  void heartbeat_ackWanted_isAcknowledged() {
    var session = fixture.host("web-1").connect();
    session.send(
        AgentFrame.newBuilder()
            .setHeartbeat(Heartbeat.newBuilder().setNumber(1).setAckWanted(true))
            .build());
    assertThat(session.take(ManagerFrame::hasHeartbeatAck).getHeartbeatAck().getNumber())
        .isEqualTo(1);
  }

  @Test
  void heartbeat_beforeHello_isAnEventAndEndsTheSession() {
    var session = fixture.host("web-1").dial();
    session.send(AgentFrame.newBuilder().setHeartbeat(Heartbeat.getDefaultInstance()).build());
    assertThat(session.take(ManagerFrame::hasClosed).getClosed().getCode())
        .isEqualTo("HELLO_EXPECTED");
    fixture.event("heartbeat.unauthenticated");
  }

  @Test
  void goodbye_stop_isStopped() {
    var session = fixture.host("web-1").connect();
    session.send(
        AgentFrame.newBuilder()
            .setGoodbye(Goodbye.newBuilder().setReason(Goodbye.Reason.AGENT_STOP))
            .build());
    fixture.awaitPresence("web-1", Presence.STOPPED);
  }

  @Test
  void transport_lost_isOffline() {
    var session = fixture.host("web-1").connect();
    session.drop();
    fixture.awaitPresence("web-1", Presence.OFFLINE);
  }

  @Test
  void hello_sameBoot_supersedes() {
    FakeNode host = fixture.host("web-1");
    var first = host.connect();
    var second = host.connect();
    assertThat(second.welcome().getGeneration()).isEqualTo(2);
    assertThat(first.take(ManagerFrame::hasClosed).getClosed().getCode())
        .isEqualTo("SESSION_SUPERSEDED");
    assertThat(fixture.services().hosts().host("web-1").presence()).isEqualTo(Presence.ONLINE);
  }

  @Test
  void clone_anotherBootBesideALiveSession_isInQuarantine() {
    FakeNode host = fixture.host("web-1");
    var original = host.connect();
    host.rebooted("boot-2");
    long before = host.lastGeneration;
    var clone = host.connect();
    assertThat(clone.welcome().getGeneration()).isEqualTo(before);
    original.send(AgentFrame.newBuilder().setHeartbeat(Heartbeat.getDefaultInstance()).build());
    fixture.event("clone.suspected");
    fixture.noOp("web-1");
    original.takeDirective();
    assertThat(clone.hasNone(ManagerFrame::hasDirective)).isTrue();
  }

  @Test
  void host_rebootedFasterThanItsSessionDied_isHeardAgainWhenThatEnds() {
    FakeNode host = fixture.host("web-1");
    var original = host.connect();
    host.rebooted("boot-2");
    var newcomer = host.connect();
    original.drop();
    newcomer.take(ManagerFrame::hasRetryAfter);
    fixture.awaitPresence("web-1", Presence.OFFLINE);
    assertThat(host.connect().welcome().getGeneration()).isEqualTo(2);
    assertThat(fixture.events("clone.suspected")).isEmpty();
  }

  @Test
  void clone_generationGoingBack_isInQuarantineUntilReleased() {
    FakeNode host = fixture.host("web-1");
    for (int i = 0; i < 2; i++) {
      var session = host.connect();
      session.send(
          AgentFrame.newBuilder().setHeartbeat(Heartbeat.newBuilder().setAckWanted(true)).build());
      session.take(ManagerFrame::hasHeartbeatAck);
      session.drop();
      fixture.awaitPresence("web-1", Presence.OFFLINE);
    }
    host.lastGeneration = 1;
    host.rebooted("boot-2");
    host.connect();
    fixture.event("clone.suspected");
    assertThat(fixture.services().hosts().host("web-1").state())
        .isEqualTo(HostState.HOST_STATE_QUARANTINED);

    fixture.services().sessions().release(host.id());
    assertThat(host.connect().welcome().getGeneration()).isEqualTo(3);
  }

  @Test
  @Requirement("T3")
  void revoke_liveSession_isCutAndStaysOut() throws Exception {
    FakeNode host = fixture.host("web-1");
    FakeNode witness = fixture.host("web-2");
    var session = host.connect();
    var other = witness.connect();
    long from = System.nanoTime();
    fixture.services().sessions().revoke(host.id(), "stolen");
    assertThat(session.take(ManagerFrame::hasClosed).getClosed().getCode())
        .isEqualTo("CERTIFICATE_REVOKED");
    other.take(ManagerFrame::hasRevocations);
    assertThat(Duration.ofNanos(System.nanoTime() - from)).isLessThan(REVOKED_WITHIN);
    var again = host.dial();
    again.hello();
    assertThat(again.ended()).isTrue();
    assertThat(again.hasNone(ManagerFrame::hasWelcome)).isTrue();
    assertThat(fixture.services().hosts().host("web-1").state())
        .isEqualTo(HostState.HOST_STATE_REVOKED);
  }

  @Test
  @Requirement("T3")
  void renew_newKey_isCertifiedForTheSameIdentity() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    session.send(
        AgentFrame.newBuilder()
            .setRenew(
                RenewCertificate.newBuilder()
                    .setCertificateRequest(
                        ByteString.copyFrom(
                            CertificateRequests.create(Keys.newP256(new SecureRandom())))))
            .build());
    var chain =
        Certificates.fromProto(session.take(ManagerFrame::hasRenewed).getRenewed().getChainList());
    assertThat(PeerVerifier.identityOf(chain.getFirst())).contains(host.identity().identity());

    session.send(
        AgentFrame.newBuilder()
            .setRenew(
                RenewCertificate.newBuilder().setCertificateRequest(ByteString.copyFromUtf8("no")))
            .build());
    fixture.event("renewal.refused");
  }

  @Test
  @Requirement("T2")
  void renew_rsaKeyAlone_isCertifiedBesideTheUsualOne() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    session.send(rsaRequest(Keys.newRsa(new SecureRandom())));

    var renewed = session.take(ManagerFrame::hasRenewed).getRenewed();

    assertThat(renewed.getChainList()).isEmpty();
    var chain = Certificates.fromProto(renewed.getRsaChainList());
    assertThat(chain.getFirst().getPublicKey().getAlgorithm()).isEqualTo("RSA");
    assertThat(PeerVerifier.identityOf(chain.getFirst())).contains(host.identity().identity());

    session.send(rsaRequest(Keys.newP256(new SecureRandom())));
    fixture.event("renewal.refused");
  }

  private static AgentFrame rsaRequest(KeyPair key) {
    return AgentFrame.newBuilder()
        .setRenew(
            RenewCertificate.newBuilder()
                .setRsaCertificateRequest(ByteString.copyFrom(CertificateRequests.create(key))))
        .build();
  }

  @Test
  void securityEvent_reportedTwice_isStoredOnceAndAcknowledged() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    for (int i = 0; i < 2; i++) {
      session.send(
          AgentFrame.newBuilder()
              .setSecurityEvent(SecurityEvent.newBuilder().setCode("directive.forged").setId("e-1"))
              .build());
      assertThat(session.take(ManagerFrame::hasAck).getAck().getId()).isEqualTo("e-1");
    }
    assertThat(fixture.events("directive.forged")).hasSize(1);
    assertThat(fixture.events("directive.forged").getFirst().reporter())
        .isEqualTo(host.identity().identity().uri());
  }

  @Test
  @Requirement("G3")
  void restart_manager_keepsFleetHostsAndQueues() {
    FakeNode host = fixture.host("web-1");
    host.connect();
    String fingerprint = fixture.services().fleet().rootFingerprint();
    fixture.restart();
    assertThat(fixture.services().fleet().rootFingerprint()).isEqualTo(fingerprint);
    fixture.awaitPresence("web-1", Presence.OFFLINE);
    fixture.noOp("web-1");
    var session = host.connect();
    assertThat(session.welcome().getGeneration()).isEqualTo(2);
    assertThat(session.takeDirective().directive().getSequence()).isEqualTo(1);
  }

  @Test
  void tunnelReport_ofAParentRelay_showsThePath() {
    // The report names this test's own connection: what counts is that paths are resolved late.
    FakeNode host = fixture.host("web-1");
    host.connect();
    var direct = fixture.services().hosts().host("web-1").path();
    String source = direct.getSourceAddress();
    int colon = source.lastIndexOf(':');
    fixture
        .services()
        .sessions()
        .registry()
        .tunnel(
            "parent",
            TunnelReport.newBuilder()
                .setLocalAddress(source.substring(0, colon))
                .setLocalPort(Integer.parseInt(source.substring(colon + 1)))
                .setSourceAddress("10.1.2.3:4444")
                .addHops("child")
                .addHops("parent")
                .build());
    var path = fixture.services().hosts().host("web-1").path();
    assertThat(path.getKind()).isEqualTo(Path.Kind.RELAY);
    assertThat(path.getSourceAddress()).isEqualTo("10.1.2.3:4444");
    assertThat(path.getHopsList()).extracting(h -> h.getId()).containsExactly("child", "parent");
  }
}
