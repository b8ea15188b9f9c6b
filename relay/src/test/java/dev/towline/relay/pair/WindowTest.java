package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.DelayingProxy;
import dev.towline.testing.Requirement;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Failure 2 of the research: a window that is too small, or shared by all streams of a transport,
 * bounds everybody by its size over the round-trip time (frp 3555; 64 KiB through 200 ms are 0.3
 * MiB/s).
 */
@Timeout(300)
final class WindowTest {
  private static final int CONNECTIONS = 8;
  private static final int EACH = 8 << 20;

  @Test
  @Requirement("R7")
  void delayOf200Milliseconds_windowsGrowUntilItDoesNotMatter() throws Exception {
    InetAddress loopback = InetAddress.getLoopbackAddress();
    try (Target target =
            new Target(socket -> {
              byte[] buffer = new byte[128 * 1024];
              while (socket.getInputStream().read(buffer) >= 0) {
                // To the end.
              }
              socket.getOutputStream().write(1);
            });
        Pair pair = new Pair(target.address(), target.address());
        DelayingProxy delay =
            new DelayingProxy(
                new InetSocketAddress(loopback, 0),
                new InetSocketAddress(loopback, pair.childPort),
                Duration.ofMillis(100));
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      pair.parent.children(List.of(Pair.listed("child-1", delay.address().getPort(), new byte[0])));
      pair.awaitUp();
      long start = System.nanoTime();
      List<Future<Boolean>> all = new ArrayList<>();
      for (int i = 0; i < CONNECTIONS; i++) {
        InetSocketAddress address = i % 2 == 0 ? pair.sessionPort() : pair.publicPort();
        all.add(threads.submit(() -> send(address)));
      }
      for (Future<Boolean> each : all) {
        assertThat(each.get()).isTrue();
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      double rate = CONNECTIONS * (EACH >> 20) / seconds;
      System.out.printf("through 200 ms: %.0f MiB/s over %d connections%n", rate, CONNECTIONS);
      // A window of 64 KiB for each would allow 2.5 MiB/s, one for all of them 0.3; what a busy
      // machine can do is far above.
      assertThat(rate).isGreaterThan(4);
    }
  }

  private static boolean send(InetSocketAddress address) throws Exception {
    try (Socket socket = Pair.connect(address)) {
      socket.getOutputStream().write(new byte[EACH]);
      socket.shutdownOutput();
      return socket.getInputStream().read() == 1;
    }
  }
}
