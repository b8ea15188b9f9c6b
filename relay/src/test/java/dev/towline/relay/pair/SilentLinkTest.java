package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.testing.Requirement;
import java.net.Socket;
import java.net.SocketException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A firewall that turns silent: no reset, no FIN, nothing. */
@Timeout(300)
final class SilentLinkTest {

  @Test
  @Requirement("R4")
  void firewallTurnsSilent_bothSidesFreeEverything_andComeBack() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address());
        Firewall firewall = new Firewall(pair.childPort)) {
      pair.parent.children(List.of(Pair.listed("child-1", firewall.port(), new byte[0])));
      pair.awaitUp();
      try (Socket socket = Pair.connect(pair.sessionPort())) {
        socket.getOutputStream().write(1);
        socket.getInputStream().read();

        firewall.silent(true);

        // How soon is a matter of LinkPulseTest, whose time is not that of a busy machine.
        Await.until("child has noticed", () -> pair.child.links().isEmpty());
        Await.until("parent has noticed", () -> Pair.up(pair.parent.links()) == 0);
        assertThatThrownBy(() -> socket.getInputStream().read())
            .isInstanceOf(SocketException.class);
        Await.until(
            "the target's socket is gone",
            () -> pair.reports.stream().anyMatch(report -> report.getClosed()));
      }
      firewall.silent(false);
      Await.until(
          "connected again",
          () -> Pair.up(pair.parent.links()) == 2 && pair.child.links().size() == 2);
    }
  }
}
