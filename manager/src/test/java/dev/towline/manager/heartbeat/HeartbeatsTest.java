package dev.towline.manager.heartbeat;

import static dev.towline.manager.testing.ManagerFixture.BOUND;
import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.alerts.Alert;
import dev.towline.manager.alerts.AlertKind;
import dev.towline.manager.policies.Catalogue;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.HostReport;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Heartbeats of a scripted host at a whole manager. */
final class HeartbeatsTest {
  @TempDir Path directory;

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
  void heartbeats_whatChanged_addsUpAndOutlivesTheManager() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    send(
        session,
        heartbeat(1)
            .setIntervalMs(5000)
            .addModules(ModuleStatus.newBuilder().setName("actions").setOnline(true))
            .putAllCounters(Map.of("a", 1L, "b", 1L)));
    send(session, heartbeat(2).putCounters("b", 2));
    HostReport report =
        Await.value(
            "the second heartbeat",
            BOUND,
            () ->
                fixture
                    .services()
                    .heartbeats()
                    .report(host.id())
                    .filter(r -> r.getCountersOrDefault("b", 0) == 2));
    assertThat(report.getCountersMap()).containsEntry("a", 1L);
    assertThat(report.getModulesList()).hasSize(1);
    assertThat(report.getIntervalMs()).isEqualTo(5000);
    Await.until(
        "it is stored",
        BOUND,
        () ->
            report
                .getCountersMap()
                .equals(stored().getOrDefault(host.id(), noReport()).getCountersMap()));
    fixture.restart();
    assertThat(fixture.services().heartbeats().report(host.id()).orElseThrow().getModulesList())
        .isEqualTo(report.getModulesList());
  }

  @Test
  @Requirement("H4")
  void clock_setByMoreThanAllowed_isAnAlertUntilSomebodyClearsIt() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    send(session, heartbeat(1).setClockStepMs(5 * 60_000).setWatchesClock(true));
    send(session, heartbeat(2).setClockStepMs(-6 * 60_000).setWatchesClock(true));
    Alert alert = Await.value("an alert", BOUND, () -> open().stream().findFirst());
    assertThat(alert.kind()).isEqualTo(AlertKind.CLOCK_CHANGED);
    assertThat(alert.message()).isEqualTo("the clock was set back by 360 s (more than 5 min)");
    assertThat(fixture.services().alerts().clear(alert.id(), "ann").isOpen()).isFalse();

    fixture
        .services()
        .policies()
        .setPolicy("ann", "base", Map.of(Catalogue.CLOCK_CHANGE, "unlimited"));
    send(session, heartbeat(3).setClockStepMs(99_999_999).setWatchesClock(true));
    send(session, heartbeat(4).putCounters("last", 1));
    Await.until(
        "the last heartbeat",
        BOUND,
        () ->
            fixture
                .services()
                .heartbeats()
                .report(host.id())
                .filter(r -> r.containsCounters("last"))
                .isPresent());
    fixture.services().store().commit(tx -> "everything before is written");
    assertThat(open()).isEmpty();
  }

  @Test
  @Requirement("H4")
  void revoke_clearsWhatIsOpen() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    send(session, heartbeat(1).setClockStepMs(6 * 60_000).setWatchesClock(true));
    Await.until("an alert", BOUND, () -> !open().isEmpty());
    var _ = fixture.services().sessions().revoke(host.id(), "gone");
    assertThat(open()).isEmpty();
    assertThat(fixture.services().alerts().list(true, false, "", 0, 10)).hasSize(1);
  }

  @Test
  @Requirement("D3")
  void goodbye_untilNext_isWaitingAndSaysWhen() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    send(session, heartbeat(1).setDirection("agent-initiated-short").setIntervalMs(60_000));
    session.send(
        AgentFrame.newBuilder()
            .setGoodbye(Goodbye.newBuilder().setReason(Goodbye.Reason.UNTIL_NEXT).setNextMs(60_000))
            .build());
    await(HostState.HOST_STATE_WAITING);
    HostReport report = fixture.services().heartbeats().report(host.id()).orElseThrow();
    assertThat(report.getDirection()).isEqualTo("agent-initiated-short");
    assertThat(report.getNextContactMs()).isPositive();
  }

  @Test
  @Requirement("H5")
  void goodbye_ofTheHost_isNotThatOfItsAgent() {
    FakeNode host = fixture.host("web-1");
    goodbye(host, Goodbye.Reason.HOST_SHUTDOWN, HostState.HOST_STATE_SHUT_DOWN);
    goodbye(host, Goodbye.Reason.AGENT_STOP, HostState.HOST_STATE_STOPPED);
    var session = host.connect();
    session.drop();
    await(HostState.HOST_STATE_OFFLINE);
  }

  private void goodbye(FakeNode host, Goodbye.Reason reason, HostState expected) {
    var session = host.connect();
    session.send(
        AgentFrame.newBuilder().setGoodbye(Goodbye.newBuilder().setReason(reason)).build());
    await(expected);
  }

  private void await(HostState state) {
    Await.until(
        state.name(), BOUND, () -> fixture.services().hosts().host("web-1").state() == state);
  }

  private List<Alert> open() {
    return fixture.services().alerts().list(false, false, "", 0, 10);
  }

  private Map<String, HostReport> stored() {
    return fixture.services().store().read(tx -> tx.heartbeats().reports());
  }

  private static HostReport noReport() {
    return HostReport.getDefaultInstance();
  }

  private static void send(FakeNode.Session session, Heartbeat.Builder heartbeat) {
    session.send(AgentFrame.newBuilder().setHeartbeat(heartbeat).build());
  }

  private Heartbeat.Builder heartbeat(long number) {
    return Heartbeat.newBuilder().setNumber(number).setTimeMs(fixture.clock().millis());
  }
}
