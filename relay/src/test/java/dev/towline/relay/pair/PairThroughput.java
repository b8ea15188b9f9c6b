package dev.towline.relay.pair;

import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/**
 * By hand: how fast a pair in this JVM moves bytes from hosts below to a target, sender and target
 * included. Arguments: connections, MiB for each.
 */
final class PairThroughput {
  private PairThroughput() {}

  public static void main(String[] args) throws Exception {
    int connections = args.length > 0 ? Integer.parseInt(args[0]) : 1;
    long each = (args.length > 1 ? Long.parseLong(args[1]) : 1024) << 20;
    byte[] block = new byte[256 * 1024];
    try (Target sink =
            new Target(socket -> {
              InputStream in = socket.getInputStream();
              byte[] buffer = new byte[256 * 1024];
              while (in.read(buffer) >= 0) {
                // Counted by its sender.
              }
              socket.getOutputStream().write(1);
            });
        Pair pair = new Pair(sink.address(), sink.address()).connected()) {
      for (int round = 0; round < 6; round++) {
        long start = System.nanoTime();
        long cpu = cpuNanos();
        List<Thread> senders = new ArrayList<>();
        for (int i = 0; i < connections; i++) {
          senders.add(
              Thread.ofPlatform()
                  .start(() -> {
                    try (Socket socket = Pair.connect(pair.publicPort())) {
                      OutputStream out = socket.getOutputStream();
                      for (long sent = 0; sent < each; sent += block.length) {
                        out.write(block);
                      }
                      socket.shutdownOutput();
                      socket.getInputStream().read();
                    } catch (Exception e) {
                      throw new IllegalStateException(e);
                    }
                  }));
        }
        for (Thread sender : senders) {
          sender.join();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        double gigabytes = connections * each / 1e9;
        System.out.printf(
            "%d connections: %.2f GB/s, %.2f cpu s/GB (sender, pair and target)%n",
            connections, gigabytes / seconds, (cpuNanos() - cpu) / 1e9 / gigabytes);
      }
    }
  }

  private static long cpuNanos() {
    return ProcessHandle.current().info().totalCpuDuration().orElseThrow().toNanos();
  }
}
