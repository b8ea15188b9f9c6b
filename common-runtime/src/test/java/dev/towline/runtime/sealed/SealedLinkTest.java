package dev.towline.runtime.sealed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ActionOutput;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.sealed.SealedFailure.Reason;
import dev.towline.runtime.sealed.SealedLink.Step;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.Requirement;
import io.grpc.netty.shaded.io.netty.buffer.UnpooledByteBufAllocator;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Agent and manager in memory, with everything a proxy could do to the bytes between them. */
@Requirement("T3")
final class SealedLinkTest {
  private static final Predicate<NodeIdentity> MANAGER = peer -> peer.role() == Role.MANAGER;
  private static final Predicate<NodeIdentity> AGENT = peer -> peer.role() == Role.AGENT;

  private final TestFleet fleet = new TestFleet(Clock.systemUTC());
  private final List<SealedLink<?, ?>> links = new ArrayList<>();

  @AfterEach
  void release() {
    links.forEach(SealedLink::release);
  }

  @Test
  void handshake_bothEndsOfTheFleet_establishesAndNamesThePeers() {
    var pair = new Pair(fleet.issue(Role.AGENT, "a1"), fleet.issue(Role.MANAGER, "m1"));
    pair.handshake();
    assertThat(pair.agent.peer()).isNotNull();
    assertThat(pair.agent.peer().identity().uri()).isEqualTo("spiffe://fleet-1/manager/m1");
    assertThat(pair.manager.peer().identity().uri()).isEqualTo("spiffe://fleet-1/agent/a1");
  }

  @Test
  void frames_inBothDirectionsCutAnywhere_arriveInOrder() throws Exception {
    var pair = established();
    List<AgentFrame> arrived = new ArrayList<>();
    for (int i = 1; i <= 50; i++) {
      for (ByteString piece : pair.agent.send(heartbeat(i)).outgoing()) {
        for (int at = 0; at < piece.size(); at += 7) {
          Step<AgentFrame> step =
              pair.manager.feed(piece.substring(at, Math.min(piece.size(), at + 7)));
          assertThat(step.failure()).isNull();
          arrived.addAll(step.frames());
        }
      }
    }
    assertThat(arrived).hasSize(50);
    assertThat(arrived.getLast().getHeartbeat().getNumber()).isEqualTo(50);
    Step<ManagerFrame> down = pair.agent.feed(joined(pair.manager.send(welcome()).outgoing()));
    assertThat(down.frames()).containsExactly(welcome());
  }

  @Test
  void send_largeFrame_isCutToPiecesAndArrivesWhole() {
    var pair = established();
    byte[] data = new byte[1 << 20];
    fleet.random().nextBytes(data);
    AgentFrame frame =
        AgentFrame.newBuilder()
            .setOutput(ActionOutput.newBuilder().setData(ByteString.copyFrom(data)))
            .build();
    List<ByteString> pieces = pair.agent.send(frame).outgoing();
    assertThat(pieces).allMatch(piece -> piece.size() <= SealedLink.MAX_PIECE);
    List<AgentFrame> arrived = new ArrayList<>();
    pieces.forEach(piece -> arrived.addAll(pair.manager.feed(piece).frames()));
    assertThat(arrived).containsExactly(frame);
  }

  @Test
  void feed_alteredByte_failsAsBadRecord() {
    var pair = established();
    byte[] sealed = joined(pair.agent.send(heartbeat(1)).outgoing()).toByteArray();
    sealed[sealed.length - 3] ^= 1;
    Step<AgentFrame> step = pair.manager.feed(ByteString.copyFrom(sealed));
    assertThat(step.frames()).isEmpty();
    assertThat(step.failure().reason()).isEqualTo(Reason.BAD_RECORD);
    assertThat(step.failure().suspicious()).isTrue();
  }

  @Test
  @Requirement("T2")
  void fipsProfile_framesBothWays_arriveAndAlteredOnesDoNot() {
    var pair =
        new Pair(TlsProfile.FIPS, fleet.issue(Role.AGENT, "a1"), fleet.issue(Role.MANAGER, "m1"));
    pair.handshake();

    assertThat(pair.manager.feed(joined(pair.agent.send(heartbeat(1)).outgoing())).frames())
        .containsExactly(heartbeat(1));
    assertThat(pair.agent.feed(joined(pair.manager.send(welcome()).outgoing())).frames())
        .containsExactly(welcome());
    assertThat(pair.manager.cipherSuite()).isEqualTo("TLS_AES_256_GCM_SHA384");

    byte[] sealed = joined(pair.agent.send(heartbeat(2)).outgoing()).toByteArray();
    sealed[sealed.length - 3] ^= 1;
    assertThat(pair.manager.feed(ByteString.copyFrom(sealed)).failure().reason())
        .isEqualTo(Reason.BAD_RECORD);
  }

  @Test
  void feed_replayedRecord_failsAsBadRecord() {
    var pair = established();
    ByteString sealed = joined(pair.agent.send(heartbeat(1)).outgoing());
    assertThat(pair.manager.feed(sealed).frames()).hasSize(1);
    Step<AgentFrame> replay = pair.manager.feed(sealed);
    assertThat(replay.frames()).isEmpty();
    assertThat(replay.failure().reason()).isEqualTo(Reason.BAD_RECORD);
  }

  @Test
  void feed_droppedRecord_failsAsBadRecord() {
    var pair = established();
    pair.agent.send(heartbeat(1));
    Step<AgentFrame> step = pair.manager.feed(joined(pair.agent.send(heartbeat(2)).outgoing()));
    assertThat(step.failure().reason()).isEqualTo(Reason.BAD_RECORD);
  }

  @Test
  void feed_reorderedRecords_failsAsBadRecord() {
    var pair = established();
    ByteString first = joined(pair.agent.send(heartbeat(1)).outgoing());
    ByteString second = joined(pair.agent.send(heartbeat(2)).outgoing());
    Step<AgentFrame> step = pair.manager.feed(second.concat(first));
    assertThat(step.frames()).isEmpty();
    assertThat(step.failure().reason()).isEqualTo(Reason.BAD_RECORD);
  }

  @Test
  void feed_truncatedRecord_waitsAndShowsNothing() {
    var pair = established();
    ByteString sealed = joined(pair.agent.send(heartbeat(1)).outgoing());
    Step<AgentFrame> step = pair.manager.feed(sealed.substring(0, sealed.size() - 1));
    assertThat(step.frames()).isEmpty();
    assertThat(step.failure()).isNull();
  }

  @Test
  void feed_bytesThatAreNoTls_failsAsProtocol() {
    var pair = new Pair(fleet.issue(Role.AGENT, "a1"), fleet.issue(Role.MANAGER, "m1"));
    pair.agent.start();
    pair.manager.start();
    Step<AgentFrame> step = pair.manager.feed(ByteString.copyFromUtf8("GET / HTTP/1.1\r\n\r\n"));
    assertThat(step.failure().reason()).isEqualTo(Reason.PROTOCOL);
  }

  @Test
  void feed_recordsOfAnEarlierSession_failsAndShowsNothing() {
    Pair old = established();
    ByteString sealed = joined(old.agent.send(heartbeat(1)).outgoing());
    Pair present = established();
    Step<AgentFrame> step = present.manager.feed(sealed);
    assertThat(step.frames()).isEmpty();
    assertThat(step.failure().reason()).isEqualTo(Reason.BAD_RECORD);
  }

  @Test
  void handshake_alteredFlight_failsAtBothEndsWithoutPeer() {
    var pair = new Pair(fleet.issue(Role.AGENT, "a1"), fleet.issue(Role.MANAGER, "m1"));
    pair.manager.start();
    Step<AgentFrame> answer = pair.manager.feed(joined(pair.agent.start().outgoing()));
    byte[] flight = joined(answer.outgoing()).toByteArray();
    flight[flight.length - 20] ^= 0x40;
    Step<ManagerFrame> step = pair.agent.feed(ByteString.copyFrom(flight));
    assertThat(step.failure().reason()).isEqualTo(Reason.BAD_RECORD);
    assertThat(pair.agent.peer()).isNull();
    assertThat(pair.manager.peer()).isNull();
  }

  @Test
  void handshake_proxyInsteadOfManager_isUntrusted() {
    var pair = new Pair(fleet.issue(Role.AGENT, "a1"), fleet.issue(Role.PROXY, "p1"));
    pair.handshake();
    assertThat(pair.agentFailure.reason()).isEqualTo(Reason.UNTRUSTED_PEER);
    assertThat(pair.managerFailure.reason()).isEqualTo(Reason.REJECTED_BY_PEER);
  }

  @Test
  void handshake_proxyInsteadOfAgent_isUntrusted() {
    var pair = new Pair(fleet.issue(Role.PROXY, "p1"), fleet.issue(Role.MANAGER, "m1"));
    pair.handshake();
    assertThat(pair.managerFailure.reason()).isEqualTo(Reason.UNTRUSTED_PEER);
    assertThat(pair.agentFailure.reason()).isEqualTo(Reason.REJECTED_BY_PEER);
  }

  @Test
  void handshake_anotherFleet_isUntrusted() {
    TestFleet foreign = new TestFleet(Clock.systemUTC());
    var pair = new Pair(fleet.issue(Role.AGENT, "a1"), foreign.issue(Role.MANAGER, "m1"));
    pair.handshake();
    assertThat(pair.agentFailure.reason()).isEqualTo(Reason.UNTRUSTED_PEER);
  }

  @Test
  void handshake_revokedAgent_isUntrusted() {
    fleet.revoke("a1");
    var pair = new Pair(fleet.issue(Role.AGENT, "a1"), fleet.issue(Role.MANAGER, "m1"));
    pair.handshake();
    assertThat(pair.managerFailure.reason()).isEqualTo(Reason.UNTRUSTED_PEER);
    assertThat(pair.managerFailure.detail()).contains("CERTIFICATE_REVOKED");
  }

  @Test
  void close_tellsThePeer() {
    var pair = established();
    Step<AgentFrame> step = pair.manager.feed(joined(pair.agent.close().outgoing()));
    assertThat(step.failure().reason()).isEqualTo(Reason.CLOSED_BY_PEER);
    assertThat(step.failure().suspicious()).isFalse();
  }

  @Test
  void send_beforeEstablished_isRefused() {
    var pair = new Pair(fleet.issue(Role.AGENT, "a1"), fleet.issue(Role.MANAGER, "m1"));
    pair.agent.start();
    assertThatThrownBy(() -> pair.agent.send(heartbeat(1)))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void afterFailure_everyCallSaysTheSame() {
    var pair = established();
    pair.manager.feed(ByteString.copyFromUtf8("GET / HTTP/1.1\r\n\r\n"));
    assertThat(pair.manager.send(welcome()).failure().reason()).isEqualTo(Reason.PROTOCOL);
    pair.manager.release();
    pair.manager.release();
    assertThat(pair.manager.feed(ByteString.copyFromUtf8("x")).failure().reason())
        .isEqualTo(Reason.PROTOCOL);
  }

  private Pair established() {
    var pair = new Pair(fleet.issue(Role.AGENT, "a1"), fleet.issue(Role.MANAGER, "m1"));
    pair.handshake();
    assertThat(pair.agent.peer()).isNotNull();
    assertThat(pair.manager.peer()).isNotNull();
    return pair;
  }

  private static AgentFrame heartbeat(long number) {
    return AgentFrame.newBuilder().setHeartbeat(Heartbeat.newBuilder().setNumber(number)).build();
  }

  private static ManagerFrame welcome() {
    return ManagerFrame.newBuilder().setWelcome(Welcome.newBuilder().setGeneration(3)).build();
  }

  private static ByteString joined(List<ByteString> pieces) {
    return ByteString.copyFrom(pieces);
  }

  private final class Pair {
    final SealedLink<ManagerFrame, AgentFrame> agent;
    final SealedLink<AgentFrame, ManagerFrame> manager;
    SealedFailure agentFailure;
    SealedFailure managerFailure;

    Pair(IssuedIdentity agentIdentity, IssuedIdentity managerIdentity) {
      this(TlsProfile.MODERN, agentIdentity, managerIdentity);
    }

    Pair(TlsProfile profile, IssuedIdentity agentIdentity, IssuedIdentity managerIdentity) {
      var allocator = UnpooledByteBufAllocator.DEFAULT;
      agent =
          SealedLink.agentEnd(
              SealedChannel.client(
                  FleetTls.innerClient(
                      profile, () -> Optional.of(agentIdentity), fleet.verifier(), MANAGER),
                  fleet.verifier(),
                  MANAGER,
                  allocator));
      manager =
          SealedLink.managerEnd(
              SealedChannel.server(
                  FleetTls.innerServer(
                      profile, () -> Optional.of(managerIdentity), fleet.verifier(), AGENT),
                  fleet.verifier(),
                  AGENT,
                  allocator));
      links.add(agent);
      links.add(manager);
    }

    void handshake() {
      ByteString up = joined(agent.start().outgoing());
      manager.start();
      while (!up.isEmpty()) {
        Step<AgentFrame> atManager = manager.feed(up);
        managerFailure = atManager.failure();
        ByteString down = joined(atManager.outgoing());
        if (down.isEmpty()) {
          return;
        }
        Step<ManagerFrame> atAgent = agent.feed(down);
        agentFailure = atAgent.failure();
        up = joined(atAgent.outgoing());
      }
    }
  }
}
