package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.testing.Requirement;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Failure 1 of the research: one slow reader, or one target that does not answer, stalls everybody
 * (konnectivity 881, 180). And failure 2: connections on one transport share its window.
 */
@Timeout(300)
final class SlowReaderTest {
  private static final int STALLED = 100;

  @Test
  @Requirement({"R1", "R7"})
  void readersStall_othersOnTheSameConnectionsGoOn() throws Exception {
    CountDownLatch end = new CountDownLatch(1);
    try (Target stalling =
            new Target(_ -> {
              try {
                end.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
        Target echo = Target.echo();
        Pair pair = new Pair(stalling.address(), echo.address()).connected()) {
      List<SocketChannel> hosts = new ArrayList<>();
      for (int i = 0; i < STALLED; i++) {
        SocketChannel host = SocketChannel.open(pair.sessionPort());
        host.configureBlocking(false);
        hosts.add(host);
      }
      Await.until(
          "all of them stalled",
          Await.LIMIT.multipliedBy(3),
          () -> {
            fill(hosts);
            return stalled(pair) == STALLED;
          });

      for (int i = 0; i < 20; i++) {
        Traffic.echo(pair.publicPort(), 100_000);
        // Also on the connection that all the stalled ones fill.
        Traffic.echo(pair.publicPort(), 1);
      }
      // They ended, and nobody was let off for it.
      assertThat(Traffic.tunnels(pair)).isGreaterThanOrEqualTo(2 * STALLED);
      Await.until(
          "all of them stalled as before",
          () -> {
            fill(hosts);
            return stalled(pair) == STALLED;
          });

      end.countDown();
      for (SocketChannel host : hosts) {
        host.close();
      }
      Await.until("no tunnel left", () -> Traffic.tunnels(pair) == 0);
    }
  }

  private static void fill(List<SocketChannel> hosts) {
    ByteBuffer block = ByteBuffer.allocate(64 * 1024);
    for (SocketChannel host : hosts) {
      try {
        while (host.write(block.clear()) > 0) {
          // As much as goes in.
        }
      } catch (IOException e) {
        throw new AssertionError("a stalled connection broke", e);
      }
    }
  }

  private static int stalled(Pair pair) {
    return pair.parent.links().stream().mapToInt(link -> link.totals().stalled()).sum();
  }

  @Test
  @Requirement("R1")
  void targetDoesNotAnswer_othersGoOn_andItIsGivenUp() throws Exception {
    try (ServerSocket full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        Target echo = Target.echo();
        Pair pair = new Pair("127.0.0.1:" + full.getLocalPort(), echo.address()).connected()) {
      List<Socket> queue = fillQueue(full);
      try (Socket host = Pair.connect(pair.sessionPort())) {
        host.getOutputStream().write(1);
        for (int i = 0; i < 20; i++) {
          Traffic.echo(pair.publicPort(), 10_000);
        }
        assertThatThrownBy(() -> host.getInputStream().read())
            .isInstanceOf(java.net.SocketException.class);
      }
      for (Socket each : queue) {
        each.close();
      }
      Await.until("no tunnel left", () -> Traffic.tunnels(pair) == 0);
    }
  }

  @Test
  @Requirement("R7")
  void connectionsOneAfterTheOther_neverFindTheReserveEmpty() throws Exception {
    try (Target echo = Target.echo();
        Pair pair = new Pair(echo.address(), echo.address()).connected()) {
      long longest = 0;
      for (int i = 0; i < 2000; i++) {
        long start = System.nanoTime();
        try (Socket host = Pair.connect(pair.sessionPort())) {
          Traffic.ask(host);
          longest = Math.max(longest, System.nanoTime() - start);
        }
      }
      System.out.printf("2,000 connections: the longest took %.1f ms%n", longest / 1e6);
      assertThat(pair.child.waited()).isZero();
      assertThat(pair.child.refusals()).isEmpty();
    }
  }

  /** Connects until the kernel drops what else comes. */
  private static List<Socket> fillQueue(ServerSocket listener) throws IOException {
    List<Socket> queue = new ArrayList<>();
    while (queue.size() < 20) {
      Socket socket = new Socket();
      try {
        socket.connect(new InetSocketAddress("127.0.0.1", listener.getLocalPort()), 300);
        queue.add(socket);
      } catch (SocketTimeoutException e) {
        socket.close();
        return queue;
      }
    }
    throw new IOException("the queue of a listener does not fill");
  }
}
