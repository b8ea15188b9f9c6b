package dev.towline.it.relays;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.it.fleet.Program;
import dev.towline.it.relays.RelayFleet.Place;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.Path.Kind;
import dev.towline.proto.v1.PathHop;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.testing.Requirement;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** Pairing in one step per side, in any order (R5, R6). */
class PairingIT {
  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  static Path directory;

  private static RelayFleet fleet;

  @BeforeAll
  static void start() {
    fleet = new RelayFleet(directory);
  }

  @AfterAll
  static void stop() {
    fleet.close();
  }

  @Test
  @Requirement({"R5", "R6", "R8"})
  void bothNew_oneCommandPairsThem_childStartedFirst() {
    RelayFleet.Relays pair = fleet.startPair("hq-1", "dmz-1");

    RelayInfo child = fleet.relay("dmz-1");
    assertThat(child.getState()).isEqualTo(HostState.HOST_STATE_ONLINE);
    assertThat(child.getParentsList()).containsExactly("hq-1");
    assertBelow(pair.child(), "below-1", "dmz-1", "hq-1");
    fleet.awaitRelay(
        "hq-1",
        "without anything pending",
        RelayFleet.BOUND,
        relay -> relay.getPendingCount() == 0);
  }

  @Test
  @Requirement({"R5", "R6"})
  void childFlagSetByHand_beforeItWasPaired_goesOnByItselfWhenItIs() throws Exception {
    Place parent = fleet.place("hq-2");
    Place child = fleet.place("dmz-2");
    Path configuration = Files.writeString(fleet.file("dmz-2.yaml"), "child: true\n");
    Path enrollment = fleet.file("dmz-2.json");
    Program childProgram = fleet.start(child, enrollment, "--config", configuration.toString());
    childProgram.awaitLine("not paired yet", RelayFleet.BOUND);
    long pid = childProgram.pid();
    fleet.startUnpaired(parent);

    fleet.pair(parent, child, "--enrollment-file", enrollment.toString());

    childProgram.awaitLine("towline-relay online", RelayFleet.BOUND);
    assertThat(childProgram.pid()).isEqualTo(pid);
    assertThat(enrollment).as("its secret is gone").doesNotExist();
    assertBelow(child, "below-2", "dmz-2", "hq-2");
  }

  @Test
  @Requirement({"R5", "R1"})
  void bothRegistered_becomeParentAndChildByDirective_withoutRestart() {
    Place parent = fleet.place("hq-3");
    Place child = fleet.place("dmz-3");
    Program parentProgram = fleet.startUnpaired(parent);
    Program childProgram = fleet.startUnpaired(child);
    long[] pids = {parentProgram.pid(), childProgram.pid()};

    String said = fleet.pair(parent, child);

    assertThat(said).contains("child dmz-3 is registered").doesNotContain("Paste");
    childProgram.awaitLine("the session goes through this relay's own parent", RelayFleet.BOUND);
    assertBelow(child, "below-3", "dmz-3", "hq-3");
    assertThat(parentProgram.pid()).isEqualTo(pids[0]);
    assertThat(childProgram.pid()).isEqualTo(pids[1]);
    fleet.awaitRelay(
        "dmz-3",
        "online",
        RelayFleet.BOUND,
        relay -> relay.getState() == HostState.HOST_STATE_ONLINE && relay.getLinksCount() > 0);

    // It stays what it became.
    childProgram.kill();
    childProgram.start().awaitLine("towline-relay online", RelayFleet.BOUND);
    fleet.awaitOnline("below-3", RelayFleet.BOUND);
  }

  @Test
  @Requirement("R5")
  void emptyChildList_isRefused() {
    assertThatThrownBy(
            () -> fleet.fleet().towline("relays", "pair", "--parent", "hq-9", "--child", ""))
        .hasMessageContaining("child list of hq-9: empty (expected: at least one child)");
  }

  @Test
  @Requirement("R8")
  void withoutDownstreamAddress_pairsButWarns() {
    String said =
        fleet
            .fleet()
            .towline(
                "relays", "pair", "--parent", "hq-8", "--child", "dmz-8", "--dial", "192.0.2.8");
    assertThat(said).contains("warning: no downstream address was given");
    assertThatThrownBy(() -> fleet.fleet().towline("install-command", "create", "--relay", "dmz-8"))
        .hasMessageContaining("has no downstream address");
  }

  @Test
  @Requirement("R1")
  void circle_isRefused() {
    fleet.fleet().towline("relays", "pair", "--parent", "a", "--child", "b", "--dial", "192.0.2.1");
    fleet.fleet().towline("relays", "pair", "--parent", "b", "--child", "c", "--dial", "192.0.2.1");
    assertThatThrownBy(() ->
            fleet
                .fleet()
                .towline("relays", "pair", "--parent", "c", "--child", "a", "--dial", "192.0.2.1"))
        .hasMessageContaining("without a circle");
  }

  /** A host below knows nothing but the child's address; its source address is kept. */
  private static void assertBelow(Place child, String agent, String... hops) {
    fleet.fleet().startAgentBelow(agent, child.name());
    Host host =
        fleet.awaitHost(
            agent,
            "online with its path",
            RelayFleet.BOUND,
            each ->
                each.getState() == HostState.HOST_STATE_ONLINE
                    && each.getPath().getKind() == Kind.RELAY);
    assertThat(host.getPath().getHopsList()).extracting(PathHop::getName).containsExactly(hops);
    assertThat(host.getPath().getSourceAddress()).startsWith("127.");
  }
}
