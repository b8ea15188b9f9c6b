package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.testing.Requirement;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Failure 6 of the research: data lost at the end of a connection (frp 1192: a broken link ends the
 * local stream cleanly, so that half a file looks complete; half-closes torn down: caddy 8026,
 * hysteria 1672).
 */
@Timeout(300)
final class ClosingTest {
  private static final int HALF_CLOSES = Boolean.getBoolean("towline.long") ? 1000 : 200;
  private static final int PART = 100_000;
  private static final int BLOCK = 64 * 1024;
  private static final int BLOCKS = 1600;

  @Test
  @Requirement("R3")
  void halfCloses_manySizes_everyByteArrivesAndThenTheEnd() throws Exception {
    long seed = Boolean.getBoolean("towline.long") ? System.nanoTime() : 1;
    System.out.println("half-closes: seed " + seed);
    Random random = new Random(seed);
    try (Target target = new Target(ClosingTest::answerAfterTheEnd);
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      for (int i = 0; i < HALF_CLOSES; i++) {
        int up = size(random);
        int down = size(random);
        try (Socket socket =
            Pair.connect(random.nextBoolean() ? pair.sessionPort() : pair.publicPort())) {
          DataOutputStream out = new DataOutputStream(socket.getOutputStream());
          byte[] sent = bytes(up);
          Thread.startVirtualThread(() -> {
            try {
              out.writeInt(down);
              out.write(sent);
              socket.shutdownOutput();
            } catch (IOException e) {
              throw new AssertionError("writing", e);
            }
          });
          DataInputStream in = new DataInputStream(socket.getInputStream());
          assertThat(in.readInt()).as("hash of %s bytes up", up).isEqualTo(Arrays.hashCode(sent));
          assertThat(in.readAllBytes()).as("%s bytes down", down).isEqualTo(bytes(down));
        }
      }
      Await.until("no tunnel left", () -> Traffic.tunnels(pair) == 0);
    }
  }

  @Test
  @Requirement("R3")
  void hostEndsItsSideFirst_100MibEachWay_everyByteArrives() throws Exception {
    long[] expected = {sum(1), sum(2)};
    try (Target target =
            new Target(socket -> {
              long got = sumOf(socket.getInputStream());
              DataOutputStream out = new DataOutputStream(socket.getOutputStream());
              out.writeLong(got);
              send(out, 2);
              socket.shutdownOutput();
            });
        Pair pair = new Pair(target.address(), target.address()).connected();
        Socket socket = Pair.connect(pair.publicPort())) {
      send(socket.getOutputStream(), 1);
      socket.shutdownOutput();

      DataInputStream in = new DataInputStream(socket.getInputStream());
      assertThat(in.readLong()).as("sum of what went up").isEqualTo(expected[0]);
      assertThat(sumOf(in)).as("sum of what came down after our end").isEqualTo(expected[1]);
      Await.until("no tunnel left", () -> Traffic.tunnels(pair) == 0);
    }
  }

  @Test
  @Requirement("R3")
  void targetEndsItsSideFirst_100MibEachWay_everyByteArrives() throws Exception {
    CompletableFuture<Long> up = new CompletableFuture<>();
    try (Target target =
            new Target(socket -> {
              send(socket.getOutputStream(), 3);
              socket.shutdownOutput();
              up.complete(sumOf(socket.getInputStream()));
            });
        Pair pair = new Pair(target.address(), target.address()).connected();
        Socket socket = Pair.connect(pair.publicPort())) {
      assertThat(sumOf(socket.getInputStream())).as("what came down").isEqualTo(sum(3));

      send(socket.getOutputStream(), 4);
      socket.shutdownOutput();

      assertThat(up.get(60, TimeUnit.SECONDS)).as("what went up after its end").isEqualTo(sum(4));
      Await.until("no tunnel left", () -> Traffic.tunnels(pair) == 0);
    }
  }

  /** 100 MiB, no block like another. */
  private static void send(OutputStream out, int seed) throws IOException {
    byte[] block = bytes(BLOCK);
    for (int i = 0; i < BLOCKS; i++) {
      ByteBuffer.wrap(block).putInt(seed).putInt(i);
      out.write(block);
    }
  }

  private static long sum(int seed) {
    CRC32C sum = new CRC32C();
    byte[] block = bytes(BLOCK);
    for (int i = 0; i < BLOCKS; i++) {
      ByteBuffer.wrap(block).putInt(seed).putInt(i);
      sum.update(block);
    }
    return sum.getValue() + ((long) BLOCK * BLOCKS << 32);
  }

  /** Of everything up to the end: the bytes and how many. */
  private static long sumOf(InputStream in) throws IOException {
    CRC32C sum = new CRC32C();
    byte[] buffer = new byte[BLOCK];
    long count = 0;
    for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
      sum.update(buffer, 0, n);
      count += n;
    }
    return sum.getValue() + (count << 32);
  }

  /** Reads to the end, says what it got, sends what it was asked for, ends. */
  private static void answerAfterTheEnd(Socket socket) throws IOException {
    DataInputStream in = new DataInputStream(socket.getInputStream());
    int down = in.readInt();
    byte[] up = in.readAllBytes();
    DataOutputStream out = new DataOutputStream(socket.getOutputStream());
    out.writeInt(Arrays.hashCode(up));
    out.write(bytes(down));
    socket.shutdownOutput();
  }

  private static int size(Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> 0;
      case 1 -> random.nextInt(2000);
      case 2 -> random.nextInt(200_000);
      default -> random.nextInt(3_000_000);
    };
  }

  private static byte[] bytes(int size) {
    byte[] bytes = new byte[size];
    new Random(size).nextBytes(bytes);
    return bytes;
  }

  @Test
  @Requirement("R4")
  void linkBreaks_inTheMiddle_bothEndsSeeAReset() throws Exception {
    CompletableFuture<Exception> atTarget = new CompletableFuture<>();
    try (Target target = halfBodies(atTarget);
        Pair pair = new Pair(target.address(), target.address());
        Firewall firewall = new Firewall(pair.childPort)) {
      pair.parent.children(List.of(Pair.listed("child-1", firewall.port(), new byte[0])));
      pair.awaitUp();
      try (Socket socket = Pair.connect(pair.sessionPort())) {
        exchangeHalf(socket);

        firewall.cut();

        assertThatThrownBy(() -> socket.getInputStream().read())
            .isInstanceOf(SocketException.class);
        assertThat(atTarget.get(60, TimeUnit.SECONDS)).isInstanceOf(SocketException.class);
      }
    }
  }

  @Test
  @Requirement("R4")
  void relaysAreKilled_inTheMiddle_bothEndsSeeAReset() throws Exception {
    CompletableFuture<Exception> atTarget = new CompletableFuture<>();
    try (Target target = halfBodies(atTarget)) {
      Process relays =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "--enable-native-access=ALL-UNNAMED",
                  "-cp",
                  System.getProperty("java.class.path"),
                  PairProcess.class.getName(),
                  target.address())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      try (BufferedReader said =
          new BufferedReader(
              new InputStreamReader(relays.getInputStream(), StandardCharsets.UTF_8))) {
        int port = PairProcess.port(said);
        try (Socket socket = Pair.connect(new InetSocketAddress("127.0.0.1", port))) {
          exchangeHalf(socket);

          relays.destroyForcibly();

          assertThatThrownBy(() -> socket.getInputStream().read())
              .isInstanceOf(SocketException.class);
          assertThat(atTarget.get(60, TimeUnit.SECONDS)).isInstanceOf(SocketException.class);
        }
      } finally {
        relays.destroyForcibly();
      }
    }
  }

  /** Sends half of what it would and takes what comes until that fails or ends. */
  private static Target halfBodies(CompletableFuture<Exception> end) {
    return new Target(socket -> {
      try {
        socket.getOutputStream().write(bytes(PART));
        socket.getInputStream().readAllBytes();
        end.complete(new IllegalStateException("a clean end"));
      } catch (IOException e) {
        end.complete(e);
      }
    });
  }

  private static void exchangeHalf(Socket socket) throws IOException {
    socket.getOutputStream().write(bytes(PART));
    assertThat(socket.getInputStream().readNBytes(PART)).isEqualTo(bytes(PART));
  }

  @Test
  @Requirement("R4")
  void hostResets_targetSeesAReset() throws Exception {
    CompletableFuture<Exception> atTarget = new CompletableFuture<>();
    try (Target target = halfBodies(atTarget);
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      Socket socket = Pair.connect(pair.sessionPort());
      exchangeHalf(socket);

      socket.setSoLinger(true, 0);
      socket.close();

      assertThat(atTarget.get(60, TimeUnit.SECONDS)).isInstanceOf(SocketException.class);
      Await.until("no tunnel left", () -> Traffic.tunnels(pair) == 0);
    }
  }
}
