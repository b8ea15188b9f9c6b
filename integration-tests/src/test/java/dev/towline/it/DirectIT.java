package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.topology.Await;
import dev.towline.it.topology.Direct;
import dev.towline.it.topology.Fleet;
import dev.towline.it.topology.Host;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.Path;
import dev.towline.testing.Requirement;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;

/** A manager and agents on one network, installed as an operator does it. */
@Tag("docker")
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
@Requirement("G6")
final class DirectIT {
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private static final Direct topology = new Direct(2);

  @BeforeAll
  static void bringUp() {
    topology.up();
    topology.start();
  }

  @AfterAll
  static void takeDown() {
    topology.close();
  }

  @Test
  @Requirement({"I1", "I3"})
  void installedHosts_areOnlineInTheirGroup_onADirectPath() {
    FleetChecks.online(topology.fleet(), topology.agents(), "web", Path.Kind.DIRECT);
  }

  @Test
  void action_runsOnEveryHost() {
    FleetChecks.runsEverywhere(topology.fleet(), topology.agents());
  }

  @Test
  @Requirement("H1")
  void quietHost_isSeenAgainAndAgain_byItsHeartbeat() {
    long before = lastSeen("agent-1");

    Await.until("a heartbeat of agent-1", LIMIT, () -> lastSeen("agent-1") > before);
  }

  @Test
  @Requirement("I3")
  void stoppedAgent_saysGoodbye_andTheInstallCommandStartsItAgain() {
    Fleet fleet = topology.fleet();
    Host host = topology.agents().getLast();
    int known = fleet.hosts().size();
    host.sh("kill -TERM $(cat /run/towline-agent.pid)");
    fleet.awaitState(host.name(), HostState.HOST_STATE_STOPPED, LIMIT);

    CreatedInstallCommand again = fleet.installCommand("--group", "web");
    fleet.install(again, host);

    fleet.awaitState(host.name(), HostState.HOST_STATE_ONLINE, LIMIT);
    assertThat(fleet.hosts()).hasSize(known);
  }

  private static long lastSeen(String name) {
    return topology.fleet().hosts().get(name).getLastSeenMs();
  }
}
