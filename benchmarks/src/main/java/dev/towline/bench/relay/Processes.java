package dev.towline.bench.relay;

import dev.towline.it.fleet.Program;
import dev.towline.testing.Await;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

/** What the kernel says about processes and ports. */
final class Processes {
  private static final int MILLIS_PER_TICK = 10;

  private Processes() {}

  /** Of processes and what descends from them. */
  static Duration processorTime(List<Program> programs) throws IOException {
    long ticks = 0;
    for (Program program : programs) {
      List<ProcessHandle> all =
          Stream.concat(
                  ProcessHandle.of(program.pid()).stream(),
                  ProcessHandle.of(program.pid()).stream().flatMap(ProcessHandle::descendants))
              .toList();
      for (ProcessHandle each : all) {
        ticks += ticks(each.pid());
      }
    }
    return Duration.ofMillis(ticks * MILLIS_PER_TICK);
  }

  private static long ticks(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
  }

  /** How many files and sockets a process has open. */
  static long descriptors(Program program) throws IOException {
    try (Stream<Path> all = Files.list(Path.of("/proc/" + program.pid() + "/fd"))) {
      return all.count();
    }
  }

  /** A port that nothing listens on, on any address. */

  /** Waits until something listens there; the connection that asks is closed at once. */
  static void awaitListener(Program program, InetSocketAddress address) {
    Await.until(
        program.name() + " to listen on " + address,
        Duration.ofSeconds(20),
        () -> {
          if (!program.isRunning()) {
            throw new IllegalStateException(program.name() + ":\n" + program.outputSinceStart());
          }
          try (Socket socket = new Socket()) {
            socket.connect(address, 500);
            return true;
          } catch (IOException e) {
            return false;
          }
        });
  }
}
