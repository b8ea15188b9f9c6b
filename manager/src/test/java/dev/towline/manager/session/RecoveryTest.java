package dev.towline.manager.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.testing.LiveAgent;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A host that was away for long, with the clock running on meanwhile. */
final class RecoveryTest {
  private static final Duration BOUND = Duration.ofSeconds(120);

  private static final String EXPIRING = "certificate.expiring";

  @TempDir private Path directory;

  @Test
  @Requirement("T3")
  void hostAwayForAYear_managerRestarted_isBackByProofOfItsKey() throws Exception {
    var clock = new Leap();
    try (var fixture = new ManagerFixture(directory, clock)) {
      LiveAgent agent = fixture.agent("web-1");
      Await.until("online", BOUND, () -> live(fixture, agent));
      Instant before = agent.member().identity().expires();
      agent.stop();

      clock.leap(Duration.ofDays(366));
      // Its own certificate and the issuing CA have ended meanwhile.
      fixture.restart();
      agent.start();

      Await.until("back", BOUND, () -> live(fixture, agent));
      assertThat(agent.member().identity().expires()).isAfter(before.plus(Duration.ofDays(300)));
      assertThat(fixture.services().hosts().host("web-1").id()).isEqualTo(agent.id());
    }
  }

  @Test
  @Requirement("T3")
  void hostInSession_certificateRunsOutWhileItIsCutOff_isBackWithoutARestart() throws Exception {
    var clock = new Leap();
    try (var fixture = new ManagerFixture(directory, clock)) {
      LiveAgent agent = fixture.agent("web-1");
      Await.until("online", BOUND, () -> live(fixture, agent));
      Instant before = agent.member().identity().expires();

      clock.leap(Duration.ofDays(60));
      fixture.restart();

      Await.until(
          "another certificate", BOUND, () -> agent.member().identity().expires().isAfter(before));
      Await.until("back", BOUND, () -> live(fixture, agent));
    }
  }

  @Test
  @Requirement("T3")
  void wrongClockByYears_isInSessionAndSaidAsAState() throws Exception {
    try (var fixture = new ManagerFixture(directory)) {
      for (int years : new int[] {-4, 6}) {
        Duration wrong = Duration.ofDays(365L * years);
        LiveAgent agent = fixture.agent("clock" + years, Clock.offset(Clock.systemUTC(), wrong));
        Await.until("online", BOUND, () -> live(fixture, agent));
        long offset =
            Await.value(
                "a report",
                BOUND,
                () ->
                    fixture
                        .services()
                        .heartbeats()
                        .report(agent.id())
                        .map(report -> report.getClockOffsetMs()));
        assertThat(Duration.ofMillis(offset).toDays())
            .isBetween(wrong.toDays() - 1, wrong.toDays() + 1);
        // It has the manager's time, whatever its own says.
        assertThat(Duration.between(Instant.now(), agent.member().time().instant()).abs())
            .isLessThan(Duration.ofMinutes(5));
      }
      assertThat(fixture.services().alerts().list(false, true, "", 0, 100)).isEmpty();
    }
  }

  @Test
  @Requirement("T3")
  void managersCertificateHasEnded_whileItRuns_isReplacedByItself() throws Exception {
    var clock = new Leap();
    try (var fixture = new ManagerFixture(directory, clock)) {
      Instant before = fixture.services().fleet().manager().expires();
      clock.leap(Duration.ofDays(8));
      assertThat(before).isBefore(clock.instant());

      // As the manager does once a minute.
      fixture.services().fleet().renew();

      assertThat(fixture.services().fleet().manager().expires()).isAfter(clock.instant());
      // Enrolled and in session with it, by the same clock.
      LiveAgent agent = fixture.agent("web-1");
      Await.until("online", BOUND, () -> live(fixture, agent));
    }
  }

  @Test
  @Requirement("T3")
  void rootEndsIn29Days_isSaidWithTheRemedy_andNotBefore() throws Exception {
    var clock = new Leap();
    try (var fixture = new ManagerFixture(directory, clock)) {
      var fleet = fixture.services().fleet();
      Instant end = fleet.activeRoot().getNotAfter().toInstant();
      clock.leap(Duration.between(clock.instant(), end.minus(Duration.ofDays(31))));
      fleet.renew();
      fixture.services().sessions().caRotation().tick();
      String subject = Fingerprints.of(fleet.activeRoot());
      assertThat(fixture.events(EXPIRING)).noneMatch(e -> e.subject().equals(subject));

      clock.leap(Duration.ofDays(2));
      fixture.services().sessions().caRotation().tick();
      String said =
          Await.value(
              "the warning",
              BOUND,
              () ->
                  fixture.events(EXPIRING).stream()
                      .filter(e -> e.subject().equals(subject))
                      .map(e -> e.detail())
                      .findFirst());
      assertThat(said).contains("the fleet's root ends at", "in 28 days", "towline ca rotate");
    }
  }

  private static boolean live(ManagerFixture fixture, LiveAgent agent) {
    return fixture.services().sessions().registry().isLive(agent.id());
  }

  /** Runs as the real one does, and leaps when told. */
  private static final class Leap extends Clock {
    private volatile Duration leapt = Duration.ZERO;

    void leap(Duration ahead) {
      leapt = leapt.plus(ahead);
    }

    @Override
    public Instant instant() {
      return Instant.now().plus(leapt);
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }
  }
}
