package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.proto.v1.TunnelReport;
import dev.towline.relay.parent.ParentSettings;
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
  private static final Duration GIVES_UP = Duration.ofMillis(500);

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
      Await.until(
          "less than one thread more for ten flaps than the " + threads + " before",
          () -> Thread.activeCount() < threads + FLAPS / 10);
      assertThat(pair.child.links()).hasSize(Pair.SETTINGS.connections());
      Await.until(
          "every tunnel that was opened to be reported closed",
          () ->
              2 * pair.reports.stream().filter(TunnelReport::getClosed).count()
                  == pair.reports.size());
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
      pair.parent.settings(dialling(GIVES_UP));
      long from = System.nanoTime();
      pair.parent.children(List.of(Pair.listed("child-1", firewall.port(), new byte[0])));

      Await.until("dials, each when the one before was given up", () -> firewall.accepted() >= 3);
      // One connection stands before others are dialled, and each has one dial under way. However
      // long this took: it never dialled more often than that allows.
      int dials = firewall.accepted();
      Duration took = Duration.ofNanos(System.nanoTime() - from);
      // A dial is given up after twice the time for its connect.
      assertThat(dials - 1L).isLessThanOrEqualTo(took.dividedBy(GIVES_UP.multipliedBy(2)));
      assertThat(Traffic.tunnels(pair)).isZero();
      assertThat(pair.child.links()).isEmpty();

      pair.parent.settings(Pair.SETTINGS);
      firewall.silent(false);
      firewall.cut();
      pair.awaitUp();
    }
  }

  private static ParentSettings dialling(Duration connectTimeout) {
    ParentSettings usual = Pair.SETTINGS;
    return new ParentSettings(
        usual.connections(),
        usual.maxReserve(),
        usual.pace(),
        usual.backoff(),
        usual.backoffCap(),
        connectTimeout,
        false);
  }

  private static void awaitNothing(Pair pair) {
    Await.until("no tunnel left", () -> Traffic.tunnels(pair) == 0);
  }
}
