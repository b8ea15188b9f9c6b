package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.testing.Requirement;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A firewall that turns silent: no reset, no FIN, nothing. */
@Timeout(120)
final class SilentLinkTest {

  @Test
  @Requirement("R4")
  void firewallTurnsSilent_bothSidesFreeEverything_andComeBack() throws Exception {
    Duration interval = Pair.SETTINGS.pace().interval();
    Duration bound = interval.multipliedBy(2).plusSeconds(5);
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address());
        Firewall firewall = new Firewall(pair.childPort)) {
      pair.parent.children(List.of(Pair.listed("child-1", firewall.port(), new byte[0])));
      pair.awaitUp();
      try (Socket socket = Pair.connect(pair.sessionPort())) {
        socket.getOutputStream().write(1);
        socket.getInputStream().read();

        firewall.silent(true);

        // Some room for a machine that is busy with other tests.
        Duration patience = bound.plusSeconds(10);
        Await.until("child has noticed", patience, () -> pair.child.links().isEmpty());
        Await.until("parent has noticed", patience, () -> Pair.up(pair.parent.links()) == 0);
        assertThatThrownBy(() -> socket.getInputStream().read())
            .isInstanceOf(SocketException.class);
        Await.until(
            "the target's socket is gone",
            () -> pair.reports.stream().anyMatch(report -> report.getClosed()));
      }
      firewall.silent(false);
      Await.until(
          "connected again",
          Duration.ofSeconds(40),
          () -> Pair.up(pair.parent.links()) == 2 && pair.child.links().size() == 2);
    }
  }
}
