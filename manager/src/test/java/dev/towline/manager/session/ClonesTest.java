package dev.towline.manager.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.enrollment.CreatedToken;
import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.enrollment.SourceNetworks;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.EnrollAnew;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.ProbeAnswer;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Clones of an enrolled disk: the same identity, another boot. */
@Requirement("I4")
final class ClonesTest {
  @TempDir private Path directory;

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
  void clone_besideItsOriginal_ofAnImagesCommand_enrollsAsAHostOfItsOwn() throws Exception {
    CreatedToken command = command(true, 2);
    FakeNode host = fixture.node(fixture.enrolled(command, facts()), facts());
    var original = host.connect();
    host.rebooted("boot-2");
    var clone = host.connect();
    // What was on its way before proves nothing, its answer does.
    original.send(heartbeat());
    fixture.event("clone.suspected");
    clone.send(heartbeat());
    clone.take(ManagerFrame::hasHeartbeatAck);
    assertThat(clone.hasNone(ManagerFrame::hasEnrollAnew)).isTrue();
    original.send(
        AgentFrame.newBuilder()
            .setProbeAnswer(
                ProbeAnswer.newBuilder()
                    .setNumber(original.take(ManagerFrame::hasProbe).getProbe().getNumber()))
            .build());

    EnrollAnew anew = clone.take(ManagerFrame::hasEnrollAnew).getEnrollAnew();

    fixture.event("clone.enrolls_anew");
    IssuedIdentity own = enrolledWith(anew, "boot-2");
    assertThat(own.identity().id()).isNotEqualTo(host.id());
    var node = fixture.services().hosts().node(own.identity().id()).orElseThrow();
    assertThat(node.group()).isEqualTo("cloned");
    assertThat(node.tags()).containsExactly("blue");
    assertThat(fixture.services().tokens().find(command.token().id()).orElseThrow().uses())
        .isEqualTo(2);
    assertThat(fixture.services().hosts().node(host.id()).orElseThrow().state())
        .isEqualTo(HostState.HOST_STATE_ONLINE);
  }

  @Test
  void clone_ofAUsedUpCommand_waitsForApproval() throws Exception {
    FakeNode host = fixture.node(fixture.enrolled(command(true, 1), facts()), facts());
    assertApproved(host);
  }

  @Test
  void clone_ofACommandThatMadeNoImage_waitsForApproval() throws Exception {
    FakeNode host = fixture.node(fixture.enrolled(command(false, 0), facts()), facts());
    assertThatThrownBy(() -> enrollClone(host))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("no clone of web-1 is in session");
    assertApproved(host);
  }

  @Test
  void snapshot_putBackOnItsMachine_goesOnAsItself() throws Exception {
    FakeNode host = gone(fixture.node(fixture.enrolled(command(true, 2), facts()), facts()));
    host.rebooted("boot-2");

    var restored = host.connect();

    assertThat(restored.welcome().getStateRolledBack()).isTrue();
    assertThat(restored.welcome().getGeneration()).isEqualTo(3);
    fixture.event("host.restored");
    assertThat(fixture.events("clone.suspected")).isEmpty();
    assertThat(fixture.services().hosts().host("web-1").state())
        .isEqualTo(HostState.HOST_STATE_ONLINE);
  }

  @Test
  void snapshot_putBackFasterThanItsSessionDied_goesOnWhenThatEnds() throws Exception {
    FakeNode host = gone(fixture.node(fixture.enrolled(command(true, 2), facts()), facts()));
    host.lastGeneration = 2;
    var before = host.connect();
    host.lastGeneration = 1;
    host.rebooted("boot-2");
    var newcomer = host.connect();
    newcomer.send(heartbeat());
    newcomer.take(ManagerFrame::hasHeartbeatAck);
    assertThat(newcomer.hasNone(ManagerFrame::hasEnrollAnew)).isTrue();

    before.drop();

    newcomer.take(ManagerFrame::hasRetryAfter);
    host.lastGeneration = 1;
    assertThat(host.connect().welcome().getStateRolledBack()).isTrue();
    assertThat(fixture.events("clone.suspected")).isEmpty();
  }

  @Test
  void disk_ofBefore_onAnotherMachine_isAClone() throws Exception {
    FakeNode host = gone(fixture.node(fixture.enrolled(command(true, 2), facts()), facts()));
    host.rebooted("boot-2");
    host.on("machine-2");

    host.connect().take(ManagerFrame::hasEnrollAnew);

    fixture.event("clone.suspected");
    assertThat(fixture.events("host.restored")).isEmpty();
  }

  /** On its first machine; its next Hello is of its first session, though it had two. */
  private FakeNode gone(FakeNode host) {
    host.on("machine-1");
    for (int i = 0; i < 2; i++) {
      var session = host.connect();
      session.send(heartbeat());
      session.take(ManagerFrame::hasHeartbeatAck);
      session.drop();
      Await.until(
          "the end of the session",
          Duration.ofSeconds(60),
          () -> fixture.services().hosts().host("web-1").state() == HostState.HOST_STATE_OFFLINE);
    }
    host.lastGeneration = 1;
    return host;
  }

  private void assertApproved(FakeNode host) throws Exception {
    var original = host.connect();
    host.rebooted("boot-2");
    var clone = host.connect();
    original.send(heartbeat());
    fixture.event("clone.suspected");
    // Answered after whatever that led to.
    clone.send(heartbeat());
    clone.take(ManagerFrame::hasHeartbeatAck);
    assertThat(clone.hasNone(ManagerFrame::hasEnrollAnew)).isTrue();

    enrollClone(host);

    EnrollAnew anew = clone.take(ManagerFrame::hasEnrollAnew).getEnrollAnew();
    assertThat(enrolledWith(anew, "boot-2").identity().id()).isNotEqualTo(host.id());
  }

  private void enrollClone(FakeNode host) {
    fixture
        .services()
        .sessions()
        .enrollClone(fixture.services().hosts().node(host.id()).orElseThrow());
  }

  private IssuedIdentity enrolledWith(EnrollAnew anew, String boot) {
    var token =
        new CreatedToken(
            fixture.services().tokens().find(anew.getTokenId()).orElseThrow(),
            anew.getSecret().toByteArray());
    return fixture.enrolled(token, facts().toBuilder().setBootId(boot).build());
  }

  private HostFacts facts() {
    return fixture.facts("web-1");
  }

  private static AgentFrame heartbeat() {
    return AgentFrame.newBuilder().setHeartbeat(Heartbeat.newBuilder().setAckWanted(true)).build();
  }

  private CreatedToken command(boolean image, int maxUses) {
    return fixture
        .services()
        .tokens()
        .create(
            new NewToken(
                Role.AGENT,
                "linux",
                "",
                "",
                "cloned",
                "eu",
                "",
                List.of("blue"),
                "",
                "",
                image,
                Duration.ofHours(1),
                maxUses,
                "test",
                "",
                SourceNetworks.ANY));
  }
}
