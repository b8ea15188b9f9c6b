package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Failures 3 and 4 of the research: what is left behind when something fails (konnectivity 276,
 * 270, rathole 470), and what waits in a reserve on a connection that is dead (rathole 109, envoy
 * 43274).
 */
@Timeout(600)
final class LeakTest {
  private static final int FLAPS = Boolean.getBoolean("towline.long") ? 1000 : 100;
  private static final int REFUSALS = 300;
  private static final int WARM_UP = 10;

  @Test
  @Requirement("R4")
  void linkFlaps_leavesNoStreamDescriptorOrListener() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address());
        Firewall firewall = new Firewall(pair.childPort)) {
      pair.parent.children(List.of(Pair.listed("child-1", firewall.port(), new byte[0])));
      pair.awaitUp();
      for (int i = 0; i < WARM_UP; i++) {
        flap(pair, firewall);
      }
      awaitNothing(pair);
      long descriptors = Traffic.descriptors();
      int threads = Thread.activeCount();

      for (int i = 0; i < FLAPS; i++) {
        flap(pair, firewall);
      }

      awaitNothing(pair);
      Await.until(
          "less than one descriptor more for ten flaps than the " + descriptors + " before",
          () -> Traffic.descriptors() < descriptors + FLAPS / 10);
      // A pool may have grown by one, and a class been loaded from a file; a leak grows each time.
      assertThat(Thread.activeCount()).isLessThan(threads + FLAPS / 10);
      assertThat(pair.child.links()).hasSize(Pair.SETTINGS.connections());
      long opened = pair.reports.stream().filter(report -> !report.getClosed()).count();
      long closed = pair.reports.stream().filter(report -> report.getClosed()).count();
      assertThat(closed).isEqualTo(opened);
      assertThatThrownBy(() -> new ServerSocket(pair.childPort).close())
          .as("its port has one listener")
          .isInstanceOf(IOException.class);
      Traffic.echo(pair.sessionPort(), 100_000);
    }
  }

  /** Breaks the link under a live connection, and waits for the next link. */
  private static void flap(Pair pair, Firewall firewall) throws IOException {
    int before = firewall.accepted();
    try (Socket socket = Pair.connect(pair.sessionPort())) {
      Traffic.ask(socket);
      firewall.cut();
      assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(SocketException.class);
    }
    Await.until("dialled again", () -> firewall.accepted() >= before + Pair.SETTINGS.connections());
    pair.awaitUp();
  }

  @Test
  @Requirement("R1")
  void targetRefuses_againAndAgain_leavesNothing() throws Exception {
    try (Target echo = Target.echo();
        Pair pair = new Pair("127.0.0.1:" + FreePorts.next(), echo.address()).connected()) {
      refused(pair);
      awaitNothing(pair);
      long descriptors = Traffic.descriptors();

      for (int i = 0; i < REFUSALS; i++) {
        refused(pair);
      }

      awaitNothing(pair);
      Await.until(
          "less than one descriptor more for ten refusals than the " + descriptors + " before",
          () -> Traffic.descriptors() < descriptors + REFUSALS / 10);
      Await.until(
          "the reserve to be full again",
          () -> pair.child.links().stream().allMatch(link -> link.reserve() == 16));
      Traffic.echo(pair.publicPort(), 1000);
    }
  }

  private static void refused(Pair pair) throws IOException {
    try (Socket socket = Pair.connect(pair.sessionPort())) {
      assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(SocketException.class);
    }
  }

  @Test
  @Requirement("R4")
  void dialIsNotAnswered_isNotMultiplied() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address());
        Firewall firewall = new Firewall(pair.childPort)) {
      firewall.silent(true);
      pair.parent.children(List.of(Pair.listed("child-1", firewall.port(), new byte[0])));

      Await.until(
          "a second dial, when the first was given up",
          Duration.ofSeconds(30),
          () -> firewall.accepted() == 2);
      // One connection stands before others are dialled, and each has one dial under way.
      assertThat(Traffic.tunnels(pair)).isZero();
      assertThat(pair.child.links()).isEmpty();
      firewall.silent(false);
      firewall.cut();
      pair.awaitUp();
      assertThat(firewall.accepted()).isEqualTo(2 + Pair.SETTINGS.connections());
    }
  }

  private static void awaitNothing(Pair pair) {
    Await.until("no tunnel left", () -> Traffic.tunnels(pair) == 0);
  }
}
