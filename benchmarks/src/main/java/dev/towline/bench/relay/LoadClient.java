package dev.towline.bench.relay;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;

/**
 * The hosts that use a tunnel.
 *
 * <ul>
 *   <li>{@code send HOST PORT CONNECTIONS BYTES}: seconds until the sink has counted them all
 *   <li>{@code ping HOST PORT TIMES}: p50 and p99 of 64-byte round trips in microseconds
 *   <li>{@code open HOST PORT TIMES}: one connection after the other, each to its first answer;
 *       median and longest in milliseconds
 *   <li>{@code stall HOST PORT CONNECTIONS}: fills connections until nothing goes in any more;
 *       bytes that went in
 *   <li>{@code hold HOST PORT CONNECTIONS}: opens them all, then asks each once more; how many
 *       answered
 *   <li>{@code keep HOST PORT}, {@code pingkept TIMES}, {@code unkeep}: the same connection over
 *       and over
 *   <li>{@code drop}: closes what is held
 * </ul>
 */
final class LoadClient implements LoadMain.Commands {
  private static final int MESSAGE = 64;
  private static final int HOSTS = 100;

  private final List<SocketChannel> held = new ArrayList<>();
  private SocketChannel kept = SocketChannel.open();

  LoadClient() throws IOException {}

  @Override
  public String answer(String[] words) throws Exception {
    return switch (words[0]) {
      case "send" -> send(target(words), Integer.parseInt(words[3]), Long.parseLong(words[4]));
      case "ping" -> {
        try (SocketChannel channel = connect(target(words))) {
          yield ping(channel, Integer.parseInt(words[3]));
        }
      }
      case "open" -> open(target(words), Integer.parseInt(words[3]));
      case "stall" -> stall(target(words), Integer.parseInt(words[3]));
      case "hold" -> hold(target(words), Integer.parseInt(words[3]));
      case "keep" -> {
        kept.close();
        kept = connect(target(words));
        yield "";
      }
      case "unkeep" -> {
        kept.close();
        yield "";
      }
      case "pingkept" -> ping(kept, Integer.parseInt(words[1]));
      case "drop" -> {
        for (SocketChannel channel : held) {
          channel.close();
        }
        held.clear();
        yield "";
      }
      default -> throw new IllegalArgumentException("command: " + words[0]);
    };
  }

  private static InetSocketAddress target(String[] words) {
    return new InetSocketAddress(words[1], Integer.parseInt(words[2]));
  }

  private static SocketChannel connect(InetSocketAddress target) throws IOException {
    SocketChannel channel = SocketChannel.open(target);
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    return channel;
  }

  private static String send(InetSocketAddress target, int connections, long bytes)
      throws Exception {
    long[] start = new long[1];
    CyclicBarrier connected = new CyclicBarrier(connections, () -> start[0] = System.nanoTime());
    try (ExecutorService threads = Executors.newThreadPerTaskExecutor(Thread::new)) {
      List<Future<Boolean>> all = new ArrayList<>();
      for (int i = 0; i < connections; i++) {
        Callable<Boolean> sender = () -> sendOne(target, bytes, connected);
        all.add(threads.submit(sender));
      }
      for (Future<Boolean> each : all) {
        each.get();
      }
    }
    return String.format(Locale.ROOT, "%.6f", (System.nanoTime() - start[0]) / 1e9);
  }

  private static boolean sendOne(InetSocketAddress target, long bytes, CyclicBarrier connected)
      throws IOException, InterruptedException, BrokenBarrierException {
    ByteBuffer block = ByteBuffer.allocateDirect(LoadSink.BLOCK);
    try (SocketChannel channel = connect(target)) {
      connected.await();
      for (long left = bytes; left > 0; ) {
        block.clear().limit((int) Math.min(left, LoadSink.BLOCK));
        left -= block.remaining();
        LoadSink.writeAll(channel, block);
      }
      channel.shutdownOutput();
      readFully(channel, block.clear().limit(Long.BYTES));
      if (block.getLong(0) != bytes) {
        throw new IOException("the sink counted " + block.getLong(0) + " bytes, not " + bytes);
      }
      return true;
    }
  }

  private static String ping(SocketChannel channel, int times) throws IOException {
    ByteBuffer message = ByteBuffer.allocateDirect(MESSAGE);
    long[] nanos = new long[times];
    for (int i = 0; i < times; i++) {
      long start = System.nanoTime();
      LoadSink.writeAll(channel, message.clear());
      readFully(channel, message.clear());
      nanos[i] = System.nanoTime() - start;
    }
    Arrays.sort(nanos);
    return String.format(
        Locale.ROOT, "%.1f %.1f", nanos[times / 2] / 1e3, nanos[times * 99 / 100] / 1e3);
  }

  private static String open(InetSocketAddress target, int times) throws IOException {
    ByteBuffer message = ByteBuffer.allocateDirect(1);
    long[] nanos = new long[times];
    for (int i = 0; i < times; i++) {
      long start = System.nanoTime();
      try (SocketChannel channel = connect(target)) {
        LoadSink.writeAll(channel, message.clear());
        readFully(channel, message.clear());
        nanos[i] = System.nanoTime() - start;
      }
    }
    Arrays.sort(nanos);
    return String.format(Locale.ROOT, "%.3f %.3f", nanos[times / 2] / 1e6, nanos[times - 1] / 1e6);
  }

  private String stall(InetSocketAddress target, int connections) throws IOException {
    for (int i = 0; i < connections; i++) {
      SocketChannel channel = connect(target);
      channel.configureBlocking(false);
      held.add(channel);
    }
    ByteBuffer block = ByteBuffer.allocateDirect(LoadSink.BLOCK);
    long total = 0;
    long lastProgress = System.nanoTime();
    while (System.nanoTime() - lastProgress < 1_000_000_000L) {
      for (SocketChannel channel : held) {
        int written = channel.write(block.clear());
        if (written > 0) {
          total += written;
          lastProgress = System.nanoTime();
        }
      }
      LockSupport.parkNanos(1_000_000);
    }
    return Long.toString(total);
  }

  private String hold(InetSocketAddress target, int connections) throws IOException {
    ByteBuffer message = ByteBuffer.allocateDirect(1);
    byte[] source = target.getAddress().getAddress();
    for (int i = 0; i < connections; i++) {
      // As many hosts do; one address alone may not have so many.
      source[3] = (byte) (100 + i % HOSTS);
      SocketChannel channel = SocketChannel.open();
      channel.bind(new InetSocketAddress(InetAddress.getByAddress(source), 0));
      channel.connect(target);
      held.add(channel);
      ask(channel, message);
    }
    int answered = 0;
    for (SocketChannel channel : held) {
      ask(channel, message);
      answered++;
    }
    return Integer.toString(answered);
  }

  private static void ask(SocketChannel channel, ByteBuffer message) throws IOException {
    LoadSink.writeAll(channel, message.clear());
    readFully(channel, message.clear());
  }

  private static void readFully(SocketChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      if (channel.read(buffer) < 0) {
        throw new EOFException("the connection ended");
      }
    }
  }
}
