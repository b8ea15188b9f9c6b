package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.relay.parent.ParentSettings;
import dev.towline.relay.parent.RelayParent;
import dev.towline.relay.status.LinkView;
import dev.towline.runtime.identity.Role;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Failure 7 of the research: a teardown that hits what belongs to another (konnectivity 888, 882,
 * 889), and a drain that can't be said while data flows (893).
 */
@Timeout(300)
final class OwnershipTest {

  @Test
  @Requirement({"R1", "R4"})
  void oneOfTwoParentsEnds_onlyItsConnectionsAreLost() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      RelayParent second =
          pair.newParent(
              pair.fleet.issue(Role.RELAY, "parent-2"),
              pair.fleet,
              target.address(),
              target.address());
      second.children(List.of(Pair.listed("child-1", pair.childPort, new byte[0])));
      pair.awaitHeld(2 * Pair.SETTINGS.connections());
      List<Socket> hosts = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        Socket host = Pair.connect(pair.publicPort());
        Traffic.ask(host);
        hosts.add(host);
      }
      long own = open(pair.parent.links());
      assertThat(own).as("of 12 connections, those of the first parent").isBetween(4L, 8L);

      second.close();

      Await.until(
          "the child forgets the second parent",
          () -> pair.child.links().size() == Pair.SETTINGS.connections());
      int alive = 0;
      for (Socket host : hosts) {
        if (stillAnswers(host)) {
          alive++;
        }
        host.close();
      }
      assertThat(alive).isEqualTo((int) own);
      Traffic.echo(pair.publicPort(), 1000);
    }
  }

  private static boolean stillAnswers(Socket host) throws Exception {
    try {
      Traffic.ask(host);
      return true;
    } catch (SocketException e) {
      return false;
    }
  }

  @Test
  @Requirement("R4")
  void oldConnectionIsGivenUp_afterTheParentCameBack_theNewOneKeepsItsTunnels() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address());
        Firewall firewall = new Firewall(pair.childPort)) {
      pair.parent.children(List.of(Pair.listed("child-1", firewall.port(), new byte[0])));
      pair.awaitUp();
      try (Socket old = Pair.connect(pair.sessionPort())) {
        Traffic.ask(old);
        firewall.silent(true);
        // The same parent, started again: the child still holds the connections of its old life.
        RelayParent again =
            pair.newParent(pair.parentIdentity, pair.fleet, target.address(), target.address());
        again.children(List.of(Pair.listed("child-1", pair.childPort, new byte[0])));
        Await.until(
            "the parent is back beside its old connections",
            () -> pair.child.links().size() == 2 * Pair.SETTINGS.connections());
        List<Socket> hosts = new ArrayList<>();
        Await.until(
            "a tunnel over the new connections",
            () -> {
              hosts.add(Pair.connect(pair.sessionPort()));
              return open(again.links()) > 0 || hosts.size() > 100;
            });

        Await.until(
            "the child gives up the old connections",
            () -> pair.child.links().size() == Pair.SETTINGS.connections());

        assertThatThrownBy(() -> old.getInputStream().read()).isInstanceOf(SocketException.class);
        int alive = 0;
        for (Socket host : hosts) {
          alive += stillAnswers(host) ? 1 : 0;
          host.close();
        }
        assertThat(alive).as("tunnels of the new connections").isPositive();
        Await.until("no tunnel left on them", () -> open(again.links()) == 0);
        Traffic.echo(pair.sessionPort(), 1000);
      }
    }
  }

  @Test
  @Requirement({"R1", "R4"})
  void parentDrains_whileItsConnectionsAreFull_theyGoOnAndNewOnesGoElsewhere() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected();
        Socket busy = Pair.connect(pair.publicPort())) {
      Traffic.ask(busy);
      // Fills both directions: the echo writes what nobody reads.
      AtomicLong written = new AtomicLong();
      Thread writing =
          Thread.ofVirtual()
              .start(() -> {
                try {
                  byte[] block = new byte[64 * 1024];
                  for (int i = 0; i < 1000; i++) {
                    busy.getOutputStream().write(block);
                    written.addAndGet(block.length);
                  }
                  busy.shutdownOutput();
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
      Await.until("a stalled tunnel", () -> stalled(pair) > 0);
      RelayParent second =
          pair.newParent(
              pair.fleet.issue(Role.RELAY, "parent-2"),
              pair.fleet,
              target.address(),
              target.address());
      second.children(List.of(Pair.listed("child-1", pair.childPort, new byte[0])));
      pair.awaitHeld(2 * Pair.SETTINGS.connections());

      pair.parent.settings(draining());

      Await.until(
          "the child knows that the first parent drains",
          () ->
              pair.child.links().stream()
                      .filter(link -> link.state() == LinkView.State.DRAINING)
                      .count()
                  == Pair.SETTINGS.connections());
      for (int i = 0; i < 20; i++) {
        Traffic.echo(pair.publicPort(), 1000);
        Traffic.echo(pair.sessionPort(), 1000);
      }
      assertThat(opened(pair.parent.links())).as("tunnels of the draining parent").isEqualTo(1);
      assertThat(opened(second.links())).isEqualTo(40);
      // What was under way all the time is complete.
      long back = busy.getInputStream().transferTo(OutputStream.nullOutputStream());
      writing.join();
      assertThat(back).isEqualTo(written.get()).isEqualTo(1000L * 64 * 1024);
    }
  }

  @Test
  @Requirement({"R1", "R4"})
  void childStops_itsParentsHear_whatIsOpenGoesOn_andNothingNewGetsIn() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected();
        Socket busy = Pair.connect(pair.publicPort())) {
      Traffic.ask(busy);
      InetSocketAddress below = pair.publicPort();

      pair.child.drain("this relay stops");

      Await.until(
          "the parent knows that the child drains",
          () ->
              pair.parent.links().stream()
                  .allMatch(link -> link.state() == LinkView.State.DRAINING));
      assertThatThrownBy(() -> new Socket(below.getAddress(), below.getPort()).close())
          .as("hosts below go elsewhere at once")
          .isInstanceOf(ConnectException.class);
      Traffic.ask(busy);
      // Another parent that comes now hears it too.
      RelayParent second =
          pair.newParent(
              pair.fleet.issue(Role.RELAY, "parent-2"),
              pair.fleet,
              target.address(),
              target.address());
      second.children(List.of(Pair.listed("child-1", pair.childPort, new byte[0])));
      Await.until(
          "the second parent knows too",
          () ->
              second.links().stream()
                      .filter(link -> link.state() == LinkView.State.DRAINING)
                      .count()
                  == Pair.SETTINGS.connections());
      Traffic.ask(busy);

      pair.child.close();
      assertThatThrownBy(() -> Traffic.ask(busy)).isInstanceOf(IOException.class);
    }
  }

  private static ParentSettings draining() {
    ParentSettings now = Pair.SETTINGS;
    return new ParentSettings(
        now.connections(),
        now.maxReserve(),
        now.pace(),
        now.backoff(),
        now.backoffCap(),
        now.connectTimeout(),
        true);
  }

  private static long stalled(Pair pair) {
    return pair.child.links().stream().mapToLong(link -> link.totals().stalled()).sum();
  }

  private static long opened(List<LinkView> links) {
    return links.stream().mapToLong(link -> link.totals().opened()).sum();
  }

  private static long open(List<LinkView> links) {
    return links.stream().mapToLong(link -> link.totals().open()).sum();
  }
}
