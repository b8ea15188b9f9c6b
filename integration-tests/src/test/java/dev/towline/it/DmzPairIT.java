package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.topology.Connect;
import dev.towline.it.topology.DmzFirewall;
import dev.towline.it.topology.DmzFirewall.Counter;
import dev.towline.it.topology.DmzPair;
import dev.towline.it.topology.Fleet;
import dev.towline.it.topology.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListRelaysResponse;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;

/**
 * A relay pair across a firewall that lets nothing connect inwards. What is asserted at the end of
 * each test: it let nothing in, and nobody had tried.
 */
@Tag("docker")
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
@Requirement("G6")
final class DmzPairIT {
  private static final Duration PATIENCE = Duration.ofSeconds(2);
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final int DIAL_PORT = 52311;
  private static final int LOOPBACK_PORT = 52312;

  private static final DmzPair topology = new DmzPair(2);

  private static long droppedByTheProof;

  @BeforeAll
  static void bringUp() {
    topology.up();
    proveThatTheFirewallDrops();
    topology.start();
  }

  /** Before any program runs: the way in is shut for the child and for the agents. */
  private static void proveThatTheFirewallDrops() {
    DmzFirewall firewall = topology.firewall();
    for (Host outside :
        Stream.concat(Stream.of(topology.child()), topology.agents().stream()).toList()) {
      for (Host inside : new Host[] {topology.manager(), topology.parent()}) {
        long before = firewall.count(Counter.DMZ_TO_INNER_DROPPED);
        assertThat(outside.connect(inside.address(), 7443, PATIENCE)).isEqualTo(Connect.TIMED_OUT);
        assertThat(firewall.count(Counter.DMZ_TO_INNER_DROPPED)).isGreaterThan(before);
      }
    }
    assertThat(firewall.count(Counter.DMZ_TO_INNER_NEW_PASSED)).isZero();
    droppedByTheProof = firewall.count(Counter.DMZ_TO_INNER_DROPPED);
  }

  @AfterAll
  static void takeDown() {
    topology.close();
  }

  @Test
  @Requirement({"R1", "R2", "R6"})
  void childThatWasNeverRegistered_isOnline_throughItsParent() {
    var relays =
        topology.fleet().ask(ListRelaysResponse.newBuilder(), "relays", "list").getRelaysList();

    assertThat(relays)
        .extracting(RelayInfo::getName)
        .containsExactlyInAnyOrder(DmzPair.PARENT, DmzPair.CHILD);
    assertThat(relays).extracting(RelayInfo::getState).containsOnly(HostState.HOST_STATE_ONLINE);
    assertNothingCameIn();
  }

  @Test
  @Requirement({"R3", "R6", "I3"})
  void hostsInstalledBelowTheChild_areOnline_onAPathThroughIt() {
    FleetChecks.online(
        topology.fleet(), topology.agents(), "dmz", Path.Kind.RELAY, DmzPair.PARENT, DmzPair.CHILD);
    assertNothingCameIn();
  }

  @Test
  void action_runsOnEveryHost() {
    FleetChecks.runsEverywhere(topology.fleet(), topology.agents());
    assertNothingCameIn();
  }

  @Test
  @Requirement({"R1", "R4"})
  void nothingCrosses_butConnectionsThatTheParentDialled() {
    String parent = topology.parent().address();
    String child = topology.child().address();

    assertThat(topology.firewall().connections())
        .isNotEmpty()
        .allSatisfy(connection ->
            assertThat(connection)
                .containsPattern(
                    " src=%s dst=%s sport=\\d+ dport=%d ".formatted(parent, child, DIAL_PORT)));
    assertNothingCameIn();
  }

  @Test
  @Requirement("R3")
  void upstreamPortOfTheChild_listensOnLoopbackOnly() {
    assertThat(topology.child().sh("ss -Hltn 'sport = :%d'".formatted(LOOPBACK_PORT)).lines())
        .isNotEmpty()
        .allSatisfy(socket ->
            assertThat(socket)
                .containsPattern("(127\\.0\\.0\\.1|\\[::1\\]|\\[::ffff:127\\.0\\.0\\.1\\]):"));
  }

  /** The child neither offers nor reaches the console of the manager. */
  @Test
  @Requirement("R3")
  void console_isNotOfferedBelow() {
    Host agent = topology.agents().getFirst();

    assertThat(agent.connect(topology.child().address(), 8443, PATIENCE))
        .isEqualTo(Connect.CONNECTED);
    assertThat(agent.connect(topology.child().address(), 8444, PATIENCE))
        .isEqualTo(Connect.REFUSED);
  }

  @Test
  @Requirement({"R1", "R4"})
  void firewallThatResetsConnections_theParentDialsAgain_andTheHostsComeBack() {
    Fleet fleet = topology.fleet();
    topology.firewall().reset();
    for (Host host : topology.agents()) {
      fleet.awaitState(host.name(), HostState.HOST_STATE_OFFLINE, LIMIT);
    }
    topology.firewall().mend();

    for (Host host : topology.agents()) {
      fleet.awaitState(host.name(), HostState.HOST_STATE_ONLINE, LIMIT);
    }
    assertNothingCameIn();
  }

  private static void assertNothingCameIn() {
    assertThat(topology.firewall().count(Counter.DMZ_TO_INNER_NEW_PASSED)).isZero();
    assertThat(topology.firewall().count(Counter.DMZ_TO_INNER_DROPPED))
        .isEqualTo(droppedByTheProof);
  }
}
