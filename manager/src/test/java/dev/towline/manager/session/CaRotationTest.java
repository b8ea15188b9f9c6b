package dev.towline.manager.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.towline.manager.fleet.CaState.Phase;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.LiveAgent;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The root is changed under real sessions (T3). */
final class CaRotationTest {
  private static final Duration BOUND = Duration.ofSeconds(120);

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
  @Requirement("T3")
  void rotate_everybodyOnline_movesAllWithoutAGapAndEndsTheOldRoot() {
    List<LiveAgent> agents = List.of(agent("a"), agent("b"), agent("c"));
    String old = fixture.services().fleet().rootFingerprint();
    rotation().rotate(false);
    reissued(agents);
    String root = fixture.services().fleet().rootFingerprint();
    assertThat(root).isNotEqualTo(old);

    CaRotation.Progress before = rotation().progress();
    assertThat(before.left()).isEmpty();
    assertThat(before.certified()).isEqualTo(3);
    rotation().finish(false);

    for (LiveAgent agent : agents) {
      Await.until("only the new root", BOUND, () -> agent.trusts().equals(List.of(root)));
      assertThat(agent.states()).doesNotContain("offline");
      assertThat(fixture.services().hosts().node(agent.id()).orElseThrow().presence())
          .isEqualTo(Presence.ONLINE);
    }
    assertThat(rotation().progress().state().phase()).isEqualTo(Phase.STEADY);
    // And again, from what the first one left.
    rotation().rotate(false);
    reissued(agents);
    rotation().finish(false);
    String third = fixture.services().fleet().rootFingerprint();
    for (LiveAgent agent : agents) {
      Await.until("only the third root", BOUND, () -> agent.trusts().equals(List.of(third)));
      assertThat(agent.states()).doesNotContain("offline");
    }
  }

  @Test
  @Requirement("T3")
  void rotate_hostAway_isNamedAndRecoversAfterTheEnd() {
    LiveAgent here = agent("here");
    LiveAgent away = agent("away");
    away.stop();
    rotation().rotate(false);
    Await.until("the new root here", BOUND, () -> here.trusts().size() == 2);

    assertThatThrownBy(() -> rotation().rotate(false))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("1 of 2 members would be left behind: away");
    rotation().rotate(true);
    reissued(List.of(here));
    assertThatThrownBy(() -> rotation().finish(false))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("away");
    rotation().finish(true);

    away.start();
    // Its certificate is of a root that nobody trusts: it proves its key and follows.
    String root = fixture.services().fleet().rootFingerprint();
    Await.until("back with another certificate", BOUND, () -> away.trusts().equals(List.of(root)));
    Await.until("online", BOUND, () -> online(away));
    assertThat(here.states()).doesNotContain("offline");
  }

  @Test
  @Requirement("T3")
  void rollBack_ofBothPhases_leavesTheOldRoot() {
    LiveAgent agent = agent("a");
    String old = fixture.services().fleet().rootFingerprint();
    FakeNode silent = fixture.host("never-in-session");
    rotation().rotate(false);
    Await.until("two roots", BOUND, () -> agent.trusts().size() == 2);
    rotation().rollBack();
    Await.until("one root", BOUND, () -> agent.trusts().equals(List.of(old)));

    rotation().rotate(false);
    Await.until("two roots again", BOUND, () -> agent.trusts().size() == 2);
    rotation().rotate(true);
    reissued(List.of(agent));
    rotation().rollBack();
    assertThat(fixture.services().fleet().rootFingerprint()).isEqualTo(old);
    reissued(List.of(agent));
    rotation().finish(true);
    Await.until("only the old root", BOUND, () -> agent.trusts().equals(List.of(old)));

    assertThat(agent.states()).doesNotContain("offline");
    var _ = silent.connect();
  }

  @Test
  @Requirement("T3")
  void rotate_managerRestartedInEachPhase_goesOn() {
    LiveAgent agent = agent("a");
    LiveAgent away = agent("away");
    away.stop();
    rotation().rotate(false);
    Await.until("two roots", BOUND, () -> agent.trusts().size() == 2);
    fixture.restart();
    assertThat(rotation().progress().state().phase()).isEqualTo(Phase.ANNOUNCED);
    Await.until("back", BOUND, () -> online(agent));
    rotation().rotate(true);
    fixture.restart();
    assertThat(rotation().progress().state().phase()).isEqualTo(Phase.REISSUING);
    reissued(List.of(agent));
    rotation().finish(true);
    fixture.restart();
    assertThat(rotation().progress().state().phase()).isEqualTo(Phase.STEADY);
    Await.until("back", BOUND, () -> online(agent));
    away.start();
    Await.until("the other one too", BOUND, () -> online(away));
  }

  @Test
  @Requirement("T3")
  void enrollment_pinnedToTheOldRoot_worksDuringAndAfterTheChange() {
    var token = fixture.token(0);
    var file = fixture.file(token, token.secret());
    LiveAgent agent = agent("a");
    rotation().rotate(false);
    reissued(List.of(agent));
    assertThat(fixture.enroll(file, fixture.facts("during")))
        .isInstanceOf(EnrollmentOutcome.Issued.class);
    rotation().finish(true);
    EnrollmentOutcome after = fixture.enroll(file, fixture.facts("after"));
    assertThat(after).isInstanceOf(EnrollmentOutcome.Issued.class);
    assertThat(((EnrollmentOutcome.Issued) after).roots())
        .extracting(Fingerprints::of)
        .containsExactly(fixture.services().fleet().rootFingerprint());
  }

  @Test
  @Requirement("T3")
  void revokeDirectiveKey_directivesOfTheOldKey_areRefusedAndNewOnesRun() {
    LiveAgent agent = agent("a");
    var before = fixture.services().fleet().signer();
    FakeNode.Session witness = fixture.host("witness").connect();

    rotation().revokeDirectiveKey("copied");

    var list = witness.take(ManagerFrame::hasRevocations).getRevocations();
    var signer =
        Certificates.fromProto(
            before.sign(Directive.getDefaultInstance(), ByteString.EMPTY).getSignerChainList());
    Await.until(
        "refused by the agent",
        BOUND,
        () ->
            agent.member().verifier().checkDirectiveSigner(signer, fixture.clock().instant())
                    instanceof PeerCheck.Refused(String code, _)
                && code.equals("CERTIFICATE_REVOKED"));
    assertThat(list.getSignerChainCount()).isEqualTo(2);
    // The manager itself is trusted, and so is its new key.
    assertThat(online(agent)).isTrue();
    assertThat(
            agent
                .member()
                .verifier()
                .checkDirectiveSigner(
                    Certificates.fromProto(list.getSignerChainList()), fixture.clock().instant()))
        .isInstanceOf(PeerCheck.Trusted.class);
    fixture.event("directive_key.revoked");
  }

  @Test
  @Requirement("T3")
  void enrolledAgain_theCertificateOfBefore_isRevokedAtOnce() throws Exception {
    var token = fixture.token(0);
    FakeNode first =
        fixture.node(fixture.enrolled(token, fixture.facts("web-1")), fixture.facts("web-1"));
    var session = first.connect();

    FakeNode second =
        fixture.node(fixture.enrolled(token, fixture.facts("web-1")), fixture.facts("web-1"));
    assertThat(second.id()).isEqualTo(first.id());
    assertThat(session.take(ManagerFrame::hasClosed).getClosed().getCode())
        .isEqualTo("CERTIFICATE_REVOKED");
    var again = first.dial();
    again.hello();
    assertThat(again.ended()).isTrue();
    assertThat(again.hasNone(ManagerFrame::hasWelcome)).isTrue();
    var _ = second.connect();
  }

  private LiveAgent agent(String name) {
    LiveAgent agent = fixture.agent(name);
    Await.until(name + " online", BOUND, () -> online(agent));
    return agent;
  }

  private boolean online(LiveAgent agent) {
    return fixture.services().sessions().registry().isLive(agent.id());
  }

  private CaRotation rotation() {
    return fixture.services().sessions().caRotation();
  }

  /** Waits until these have sessions under certificates of the present CA. */
  private void reissued(List<LiveAgent> agents) {
    Await.until(
        "reissuing",
        BOUND,
        () ->
            switch (fixture.services().fleet().caState().phase()) {
              case REISSUING, ROLLING_BACK -> true;
              case STEADY, ANNOUNCED -> false;
            });
    String issuer = Fingerprints.of(fixture.services().fleet().caState().issuing());
    for (LiveAgent agent : agents) {
      Await.until("a certificate of the present CA", BOUND, () -> agent.issuer().equals(issuer));
      Await.until(
          "a session with it",
          BOUND,
          () ->
              rotation().progress().left().stream()
                  .noneMatch(left -> left.member().id().equals(agent.id())));
    }
  }
}
