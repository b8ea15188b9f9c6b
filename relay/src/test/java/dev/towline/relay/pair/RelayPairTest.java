package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.proto.v1.TunnelReport;
import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.net.SocketException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A pair over real sockets: what goes in comes out, whatever the two ends do. */
@Timeout(300)
final class RelayPairTest {
  private ExecutorService threads;

  @BeforeEach
  void start() {
    threads = Executors.newVirtualThreadPerTaskExecutor();
  }

  @AfterEach
  void stop() {
    threads.shutdownNow();
  }

  @Test
  @Requirement({"R1", "R3"})
  void halfClose_eachSideEndsInTurn_everyByteArrives() throws Exception {
    byte[] up = random(5 << 20);
    byte[] down = random((20 << 20) + 7);
    CompletableFuture<byte[]> arrived = new CompletableFuture<>();
    try (Target target =
            new Target(socket -> {
              arrived.complete(socket.getInputStream().readAllBytes());
              socket.getOutputStream().write(down);
              socket.shutdownOutput();
            });
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      for (int i = 0; i < 3; i++) {
        try (Socket socket = Pair.connect(pair.sessionPort())) {
          socket.getOutputStream().write(up);
          socket.shutdownOutput();
          assertThat(socket.getInputStream().readAllBytes()).isEqualTo(down);
        }
      }
      assertThat(arrived.get(60, TimeUnit.SECONDS)).isEqualTo(up);
      awaitNoTunnels(pair);
    }
  }

  @Test
  @Requirement("R1")
  void bothWaysAtOnce_manyConnections_everyByteArrives() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      var results =
          java.util.stream.IntStream.range(0, 8)
              .mapToObj(i ->
                  CompletableFuture.supplyAsync(
                      () -> echoDigest(pair.sessionPort(), 16 << 20, i), threads))
              .toList();
      for (var result : results) {
        String[] digests = result.get(180, TimeUnit.SECONDS);
        assertThat(digests[1]).isEqualTo(digests[0]);
      }
      awaitNoTunnels(pair);
    }
  }

  @Test
  @Requirement("R4")
  void parentDies_inTheMiddle_hostSeesAResetAndNoCleanEnd() throws Exception {
    byte[] part = random(100_000);
    try (Target target =
            new Target(socket -> {
              socket.getOutputStream().write(part);
              socket.getInputStream().readAllBytes();
            });
        Pair pair = new Pair(target.address(), target.address()).connected();
        Socket socket = Pair.connect(pair.sessionPort())) {
      InputStream in = socket.getInputStream();
      assertThat(in.readNBytes(part.length)).isEqualTo(part);

      pair.parent.close();

      assertThatThrownBy(in::read).isInstanceOf(SocketException.class);
      Await.until("child forgets the parent", () -> pair.child.links().isEmpty());
    }
  }

  @Test
  @Requirement("R4")
  void targetResets_hostSeesAReset() throws Exception {
    try (Target target =
            new Target(socket -> {
              socket.getInputStream().read();
              socket.setSoLinger(true, 0);
            });
        Pair pair = new Pair(target.address(), target.address()).connected();
        Socket socket = Pair.connect(pair.sessionPort())) {
      socket.getOutputStream().write(1);
      assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(SocketException.class);
    }
  }

  @Test
  @Requirement("R1")
  void targetUnreachable_hostSeesAReset() throws Exception {
    String nobody = "127.0.0.1:" + FreePorts.next();
    try (Pair pair = new Pair(nobody, nobody).connected();
        Socket socket = Pair.connect(pair.sessionPort())) {
      assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(SocketException.class);
    }
  }

  @Test
  @Requirement("R1")
  void stalledReaders_anotherConnection_isNotHeldUp() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    byte[] block = new byte[1 << 20];
    try (Target flood =
            new Target(socket -> {
              while (go.getCount() > 0) {
                socket.getOutputStream().write(block);
              }
            });
        Target echo = Target.echo();
        Pair pair = new Pair(flood.address(), echo.address()).connected()) {
      Socket[] stalled = new Socket[20];
      for (int i = 0; i < stalled.length; i++) {
        stalled[i] = Pair.connect(pair.sessionPort());
      }
      Await.until(
          "all stalled",
          () ->
              pair.child.links().stream().mapToLong(link -> link.totals().stalled()).sum()
                  == stalled.length);
      try (Socket socket = Pair.connect(pair.publicPort())) {
        for (int i = 0; i < 100; i++) {
          socket.getOutputStream().write(i);
          assertThat(socket.getInputStream().read()).isEqualTo(i);
        }
      }
      String[] digests = echoDigest(pair.publicPort(), 8 << 20, 1);
      assertThat(digests[1]).isEqualTo(digests[0]);
      go.countDown();
      for (Socket socket : stalled) {
        socket.close();
      }
    }
  }

  @Test
  @Requirement("R3")
  void loopbackPort_isBoundToLoopbackOnly() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      assertThat(pair.loopbackPort().getAddress().isLoopbackAddress()).isTrue();
      assertThat(pair.loopbackPort().getAddress().isAnyLocalAddress()).isFalse();
      for (NetworkInterface each :
          NetworkInterface.networkInterfaces().filter(n -> isUsable(n)).toList()) {
        for (InetAddress address : java.util.Collections.list(each.getInetAddresses())) {
          InetSocketAddress outside = new InetSocketAddress(address, pair.loopbackPort().getPort());
          try (Socket socket = new Socket()) {
            assertThatThrownBy(() -> socket.connect(outside, 2000))
                .as("connect to %s", outside)
                .isInstanceOf(IOException.class);
          }
        }
      }
      String[] digests = echoDigest(pair.loopbackPort(), 1000, 1);
      assertThat(digests[1]).isEqualTo(digests[0]);
    }
  }

  @Test
  @Requirement("R3")
  void tunnel_isReported_withSourceAndHops() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      int port;
      try (Socket socket = Pair.connect(pair.sessionPort())) {
        port = socket.getLocalPort();
        socket.getOutputStream().write(7);
        assertThat(socket.getInputStream().read()).isEqualTo(7);
        TunnelReport report = pair.reports.getFirst();
        assertThat(report.getSourceAddress()).isEqualTo("127.0.0.1:" + port);
        assertThat(report.getHopsList()).containsExactly("child-1", "parent-1");
        assertThat(report.getLocalPort()).isEqualTo(target.accepted().getFirst().getPort());
        assertThat(report.getClosed()).isFalse();
      }
      Await.until("closed is reported", () -> pair.reports.getLast().getClosed());
    }
  }

  @Test
  @Requirement({"R1", "R4"})
  void childRestarts_parentComesBackByItself() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      pair.child.close();
      Await.until("connections lost", () -> Pair.up(pair.parent.links()) == 0);

      pair.startRegistered(pair.child);

      pair.awaitUp();
      String[] digests = echoDigest(pair.sessionPort(), 1000, 1);
      assertThat(digests[1]).isEqualTo(digests[0]);
    }
  }

  @Test
  @Requirement("R1")
  void hostConnects_beforeTheParent_isServedWhenItComes() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address());
        Socket socket = Pair.connect(pair.sessionPort())) {
      socket.getOutputStream().write(new byte[] {1, 2, 3});
      socket.shutdownOutput();

      pair.connected();

      assertThat(socket.getInputStream().readAllBytes()).containsExactly(1, 2, 3);
    }
  }

  @Test
  @Requirement("R1")
  void hostConnects_withoutAnyParent_isResetAfterABoundedTime() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address())) {
      Pair.givesUpSoon(pair.child, pair.childPort);
      try (Socket socket = Pair.connect(pair.sessionPort())) {
        // A reset: a read that waits in vain ends with another exception.
        assertThatThrownBy(() -> socket.getInputStream().read())
            .isInstanceOf(SocketException.class);
      }
      assertThat(pair.child.refusals()).containsEntry("NO_PARENT", 1L);
    }
  }

  @Test
  @Requirement("R1")
  void manyConnectionsAtOnce_beyondTheReserve_allAreServed() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      AtomicLong served = new AtomicLong();
      var all =
          java.util.stream.IntStream.range(0, 300)
              .mapToObj(i ->
                  CompletableFuture.runAsync(
                      () -> {
                        String[] digests = echoDigest(pair.sessionPort(), 1000 + i, i);
                        if (digests[0].equals(digests[1])) {
                          served.incrementAndGet();
                        }
                      },
                      threads))
              .toArray(CompletableFuture<?>[]::new);
      CompletableFuture.allOf(all).get(180, TimeUnit.SECONDS);
      assertThat(served).hasValue(300);
      awaitNoTunnels(pair);
    }
  }

  private static void awaitNoTunnels(Pair pair) {
    Await.until(
        "no tunnel left",
        () ->
            pair.child.links().stream().allMatch(link -> link.totals().open() == 0)
                && pair.parent.links().stream().allMatch(link -> link.totals().open() == 0));
  }

  private static boolean isUsable(NetworkInterface each) {
    try {
      return each.isUp() && !each.isLoopback();
    } catch (SocketException e) {
      return false;
    }
  }

  /** Digest of what was sent, digest of what came back. */
  private String[] echoDigest(InetSocketAddress address, int size, int seed) {
    try (Socket socket = Pair.connect(address)) {
      byte[] data = new byte[size];
      new Random(seed).nextBytes(data);
      var writing =
          threads.submit(() -> {
            socket.getOutputStream().write(data);
            socket.shutdownOutput();
            return true;
          });
      ByteArrayOutputStream back = new ByteArrayOutputStream();
      socket.getInputStream().transferTo(back);
      writing.get(60, TimeUnit.SECONDS);
      return new String[] {digest(data), digest(back.toByteArray())};
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private static String digest(byte[] data) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
  }

  private static byte[] random(int size) {
    byte[] data = new byte[size];
    new Random(size).nextBytes(data);
    return data;
  }
}
