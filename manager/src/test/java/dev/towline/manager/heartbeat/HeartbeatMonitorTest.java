package dev.towline.manager.heartbeat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.alerts.AlertKind;
import dev.towline.manager.heartbeat.HeartbeatMonitor.Finding;
import dev.towline.manager.heartbeat.HeartbeatMonitor.Known;
import dev.towline.manager.heartbeat.HeartbeatMonitor.Rules;
import dev.towline.manager.nodes.Presence;
import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** Missed heartbeats by a clock that the test moves. */
@Requirement({"H3", "H5"})
final class HeartbeatMonitorTest {
  private static final long BEGIN = 1_000_000_000;

  private long now = BEGIN;
  private Duration interval = Duration.ofSeconds(60);
  private OptionalInt missed = OptionalInt.of(3);
  private boolean alertWhenShutDown;
  private final HeartbeatMonitor monitor =
      new HeartbeatMonitor(new WatchedTime(BEGIN - 3_600_000, BEGIN - 3_600_000));

  /** Everything is looked at each 5 seconds, as the manager does. */
  private List<Finding> pass(Duration time) {
    List<Finding> findings = new ArrayList<>();
    long until = now + time.toMillis();
    while (now < until) {
      now = Math.min(now + 5000, until);
      findings.addAll(check());
    }
    return findings;
  }

  private List<Finding> check() {
    return monitor.check((_, _) -> new Rules(interval, missed, alertWhenShutDown), now);
  }

  /** The manager has been there for an hour. */
  private void heartbeat() {
    for (long at = now - 3_600_000; at < now && now == BEGIN; at += 5000) {
      var _ = monitor.check((_, _) -> new Rules(interval, missed, false), at);
    }
    monitor.heartbeat("h1", "web-1", Duration.ZERO, now);
  }

  @Test
  void threeMayBeMissed_theFourthRaises() {
    heartbeat();
    assertThat(pass(Duration.ofSeconds(3 * 60 + 59))).isEmpty();
    List<Finding> findings = pass(Duration.ofSeconds(8));
    assertThat(findings)
        .singleElement()
        .isEqualTo(
            new Finding.Raise(
                AlertKind.HEARTBEATS_MISSED,
                "h1",
                "web-1",
                "4 heartbeats missed in a row, one is due every 60 s; its connection still"
                    + " stands"));
    assertThat(pass(Duration.ofHours(5))).isEmpty();
    monitor.heartbeat("h1", "web-1", Duration.ZERO, now);
    assertThat(check()).containsExactly(new Finding.Clear(AlertKind.HEARTBEATS_MISSED, "h1"));
    assertThat(check()).isEmpty();
  }

  @Test
  void noneMayBeMissed_theFirstRaises() {
    missed = OptionalInt.of(0);
    heartbeat();
    assertThat(pass(Duration.ofSeconds(61))).isEmpty();
    assertThat(pass(Duration.ofSeconds(6))).hasSize(1);
  }

  @Test
  void unlimited_neverRaises_andClearsWhatWasRaised() {
    heartbeat();
    assertThat(pass(Duration.ofMinutes(10))).hasSize(1);
    missed = OptionalInt.empty();
    assertThat(check()).hasSize(1).first().isInstanceOf(Finding.Clear.class);
    assertThat(pass(Duration.ofDays(2))).isEmpty();
  }

  @Test
  void stopShutdownAndLoss_areToldApart() {
    heartbeat();
    monitor.ended("h1", Presence.OFFLINE);
    assertThat(kinds(pass(Duration.ofMinutes(5)))).containsExactly(AlertKind.HEARTBEATS_MISSED);
    monitor.heartbeat("h1", "web-1", Duration.ZERO, now);
    monitor.ended("h1", Presence.STOPPED);
    assertThat(kinds(pass(Duration.ofMinutes(5)))).containsExactly(AlertKind.AGENT_STOPPED);
    monitor.heartbeat("h1", "web-1", Duration.ZERO, now);
    monitor.ended("h1", Presence.SHUT_DOWN);
    assertThat(kinds(pass(Duration.ofMinutes(5)))).isEmpty();
    alertWhenShutDown = true;
    assertThat(kinds(check())).containsExactly(AlertKind.HOST_SHUT_DOWN);
  }

  @Test
  void managerThatWasAway_raisesNothingForTheTimeItMissed() {
    heartbeat();
    pass(Duration.ofSeconds(100));
    // Stopped or suspended for a day; the host is gone since before.
    now += Duration.ofDays(1).toMillis();
    assertThat(check()).isEmpty();
    assertThat(pass(Duration.ofSeconds(59))).isEmpty();
    // 100 s before and 142 s after are the four intervals and the grace.
    assertThat(pass(Duration.ofSeconds(76))).isEmpty();
    assertThat(pass(Duration.ofSeconds(12))).hasSize(1);
  }

  @Test
  void managerThatWasRestarted_countsOnFromWhatItKnew() {
    long down = now + 120_000;
    long up = down + Duration.ofHours(8).toMillis();
    var restarted = new HeartbeatMonitor(new WatchedTime(down, up));
    restarted.know(List.of(new Known("h1", "web-1", "", Presence.OFFLINE, now)));
    List<Finding> early = new ArrayList<>();
    for (long at = up; at < up + 120_000; at += 5000) {
      early.addAll(restarted.check((_, _) -> new Rules(interval, missed, false), at));
    }
    assertThat(early).isEmpty();
    assertThat(restarted.check((_, _) -> new Rules(interval, missed, false), up + 125_000))
        .hasSize(1);
  }

  @Test
  void clockOfTheManagerSetForward_raisesNothing() {
    heartbeat();
    pass(Duration.ofSeconds(10));
    now += Duration.ofDays(365).toMillis();
    assertThat(check()).isEmpty();
    monitor.heartbeat("h1", "web-1", Duration.ZERO, now);
    assertThat(pass(Duration.ofSeconds(200))).isEmpty();
  }

  @Test
  void hostThatGoesByALongerInterval_isGivenThatTime() {
    interval = Duration.ofSeconds(5);
    heartbeat();
    monitor.heartbeat("h1", "web-1", Duration.ofHours(24), now);
    assertThat(pass(Duration.ofHours(95))).isEmpty();
    assertThat(pass(Duration.ofHours(2))).hasSize(1);
  }

  @Test
  void hostThatIsGoneForGood_isNotWatched() {
    heartbeat();
    monitor.know(List.of());
    assertThat(pass(Duration.ofDays(1))).isEmpty();
    monitor.know(List.of(new Known("h2", "new", "", Presence.NEW, 0)));
    assertThat(pass(Duration.ofDays(1))).isEmpty();
  }

  private static List<AlertKind> kinds(List<Finding> findings) {
    return findings.stream()
        .filter(Finding.Raise.class::isInstance)
        .map(finding -> ((Finding.Raise) finding).kind())
        .toList();
  }
}
