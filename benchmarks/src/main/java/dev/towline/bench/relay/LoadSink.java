package dev.towline.bench.relay;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Where the tunnels end. {@code mode discard|echo|stall|hold} says what becomes of connections that
 * arrive from now on, {@code drop} closes those that it keeps.
 *
 * <p>Threading: one thread accepts; a thread of its own for each connection that is measured, a
 * virtual one for those that are only held. Failure: a connection that breaks is its client's
 * matter.
 */
final class LoadSink implements LoadMain.Commands {
  static final int BLOCK = 256 * 1024;

  private final ServerSocketChannel listener;
  private final List<SocketChannel> kept = new CopyOnWriteArrayList<>();
  private volatile String mode = "discard";

  LoadSink(InetSocketAddress address) throws IOException {
    listener = ServerSocketChannel.open();
    listener.bind(address, 4096);
    Thread.ofPlatform().daemon().name("accept").start(this::acceptAll);
  }

  @Override
  public String answer(String[] words) throws IOException {
    switch (words[0]) {
      case "mode" -> mode = words[1];
      case "drop" -> {
        for (SocketChannel channel : kept) {
          channel.close();
        }
        kept.clear();
      }
      case "kept" -> {
        return Integer.toString(kept.size());
      }
      default -> throw new IllegalArgumentException("command: " + words[0]);
    }
    return "";
  }

  private void acceptAll() {
    while (true) {
      try {
        SocketChannel channel = listener.accept();
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        switch (mode) {
          case "discard" -> Thread.ofPlatform().daemon().start(() -> discard(channel));
          case "echo" -> Thread.ofPlatform().daemon().start(() -> echo(channel));
          case "hold" -> {
            kept.add(channel);
            Thread.ofVirtual().start(() -> echo(channel));
          }
          default -> kept.add(channel);
        }
      } catch (IOException e) {
        System.err.println("accept: " + e);
        return;
      }
    }
  }

  /** Counts to the end, then says how many. */
  private static void discard(SocketChannel channel) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(BLOCK);
    try (channel) {
      long count = 0;
      for (int n = channel.read(buffer); n >= 0; n = channel.read(buffer)) {
        count += n;
        buffer.clear();
      }
      buffer.clear().limit(Long.BYTES);
      buffer.putLong(0, count);
      writeAll(channel, buffer);
    } catch (IOException e) {
      System.err.println("discard: " + e);
    }
  }

  private static void echo(SocketChannel channel) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(4096);
    try (channel) {
      while (channel.read(buffer) >= 0) {
        writeAll(channel, buffer.flip());
        buffer.clear();
      }
    } catch (IOException e) {
      // Its client knows.
    }
  }

  static void writeAll(SocketChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }
}
