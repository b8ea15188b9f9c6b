package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.Stream;

/** What several tests do with a pair. */
final class Traffic {
  private Traffic() {}

  /** One connection to an echo, both ends of it closed in order. */
  static void echo(InetSocketAddress address, int bytes) {
    byte[] sent = new byte[bytes];
    new Random(bytes).nextBytes(sent);
    try (Socket socket = Pair.connect(address)) {
      Thread writing =
          Thread.ofVirtual()
              .start(() -> {
                try {
                  socket.getOutputStream().write(sent);
                  socket.shutdownOutput();
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
      assertThat(socket.getInputStream().readAllBytes()).isEqualTo(sent);
      writing.join();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Sends a byte to an echo and waits for it. */
  static void ask(Socket socket) throws IOException {
    socket.getOutputStream().write(7);
    assertThat(socket.getInputStream().read()).isEqualTo(7);
  }

  static long descriptors() {
    try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
      return all.count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static int tunnels(Pair pair) {
    return Stream.concat(pair.child.links().stream(), pair.parent.links().stream())
        .mapToInt(link -> link.totals().open())
        .sum();
  }
}
