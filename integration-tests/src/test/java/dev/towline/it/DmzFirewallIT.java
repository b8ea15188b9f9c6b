package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.topology.Await;
import dev.towline.it.topology.Connect;
import dev.towline.it.topology.DmzFirewall.Counter;
import dev.towline.it.topology.DmzPair;
import dev.towline.it.topology.Host;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** That the DMZ of the other tests is one: it is the firewall, and nothing else, that drops. */
@Tag("docker")
final class DmzFirewallIT {
  private static final int PORT = 7443;
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private static final DmzPair topology = new DmzPair(0);

  private static Host manager;
  private static Host outside;

  @BeforeAll
  static void bringUp() {
    topology.up();
    manager = topology.manager();
    outside = topology.child();
    for (Host host : new Host[] {manager, outside}) {
      String script = "while :; do hostname | nc -l -N -p " + PORT + "; done";
      host.launch("listener", "sh", "-c", script);
      Await.until(
          host.name() + " listens",
          Duration.ofSeconds(60),
          () -> host.sh("ss -ltn").contains(":" + PORT));
    }
  }

  @AfterEach
  void mend() {
    topology.firewall().mend();
  }

  @AfterAll
  static void takeDown() {
    topology.close();
  }

  @Test
  void dmzToInner_isDroppedByTheFirewall() {
    long before = topology.firewall().count(Counter.DMZ_TO_INNER_DROPPED);

    assertThat(outside.connect(manager.address(), PORT, PATIENCE)).isEqualTo(Connect.TIMED_OUT);
    assertThat(topology.firewall().count(Counter.DMZ_TO_INNER_DROPPED)).isGreaterThan(before);
  }

  @Test
  void childRelay_canDialNeitherParentNorManager() {
    Host child = topology.child();

    assertThat(child.connect(topology.parent().address(), 52311, PATIENCE))
        .isEqualTo(Connect.TIMED_OUT);
    assertThat(child.connect(manager.address(), PORT, PATIENCE)).isEqualTo(Connect.TIMED_OUT);
  }

  @Test
  void innerToDmz_connectsAndRepliesComeBack() {
    long before = topology.firewall().count(Counter.INNER_TO_DMZ_NEW);

    String reply = manager.sh("nc -w 5 " + outside.address() + " " + PORT + " </dev/null");

    assertThat(reply.strip()).isEqualTo("child");
    assertThat(topology.firewall().count(Counter.INNER_TO_DMZ_NEW)).isGreaterThan(before);
  }

  @Test
  void firewallOpened_dmzToInnerConnects_soNothingElseBlocks() {
    long before = topology.firewall().count(Counter.DMZ_TO_INNER_NEW_PASSED);
    topology.firewall().open();

    assertThat(outside.connect(manager.address(), PORT, PATIENCE)).isEqualTo(Connect.CONNECTED);
    assertThat(topology.firewall().count(Counter.DMZ_TO_INNER_NEW_PASSED)).isGreaterThan(before);
  }

  @Test
  void cut_dropsTheInnerSideToo_untilMended() {
    topology.firewall().cut();
    assertThat(manager.connect(outside.address(), PORT, PATIENCE)).isEqualTo(Connect.TIMED_OUT);

    topology.firewall().mend();
    assertThat(manager.connect(outside.address(), PORT, PATIENCE)).isEqualTo(Connect.CONNECTED);
  }

  @Test
  void reset_answersInsteadOfDropping() {
    topology.firewall().reset();

    assertThat(manager.connect(outside.address(), PORT, PATIENCE)).isEqualTo(Connect.REFUSED);
  }

  @Test
  void everyHost_hasOnlyTheFirewallAsItsWayOut() {
    String firewallInner = topology.firewall().host().address(manager.legs().getFirst());
    String firewallDmz = topology.firewall().host().address(outside.legs().getFirst());

    assertThat(manager.sh("ip route show default")).contains("via " + firewallInner + " ");
    assertThat(outside.sh("ip route show default")).contains("via " + firewallDmz + " ");
    assertThat(topology.firewall().host().sh("ip route show default")).isEmpty();
  }
}
