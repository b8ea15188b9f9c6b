package dev.towline.bench.relay;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * Passes TCP connections on, every byte later by the same time in both directions, with no loss and
 * no limit of its own: what is on its way may be {@value #SLOTS} reads of {@value #READ} bytes in
 * each direction of each connection.
 *
 * <p>Threading: two threads for each direction, one reads and one writes when the time has come.
 * Failure: a side that breaks closes both.
 */
final class DelayingProxy implements LoadMain.Commands {
  private static final int READ = 64 * 1024;
  private static final int SLOTS = 2048;

  private final ServerSocketChannel listener;
  private final InetSocketAddress target;
  private final long delayNanos;

  /** Bytes and when they may go on; none at the end. */
  private record Slot(ByteBuffer bytes, long due) {}

  DelayingProxy(InetSocketAddress address, InetSocketAddress target, Duration oneWay)
      throws IOException {
    this.target = target;
    this.delayNanos = oneWay.toNanos();
    listener = ServerSocketChannel.open();
    listener.bind(address);
    Thread.ofPlatform().daemon().name("accept").start(this::acceptAll);
  }

  @Override
  public String answer(String[] words) {
    throw new IllegalArgumentException("it takes no commands");
  }

  private void acceptAll() {
    while (true) {
      try {
        SocketChannel in = listener.accept();
        SocketChannel out = SocketChannel.open(target);
        in.setOption(StandardSocketOptions.TCP_NODELAY, true);
        out.setOption(StandardSocketOptions.TCP_NODELAY, true);
        pass(in, out);
        pass(out, in);
      } catch (IOException e) {
        System.err.println("delaying proxy: " + e);
      }
    }
  }

  private void pass(SocketChannel from, SocketChannel to) {
    BlockingQueue<Slot> underway = new ArrayBlockingQueue<>(SLOTS);
    BlockingQueue<ByteBuffer> free = new ArrayBlockingQueue<>(SLOTS);
    Thread.ofPlatform().daemon().start(() -> read(from, underway, free));
    Thread.ofPlatform().daemon().start(() -> write(to, from, underway, free));
  }

  private void read(
      SocketChannel from, BlockingQueue<Slot> underway, BlockingQueue<ByteBuffer> free) {
    try {
      while (true) {
        ByteBuffer spare = free.poll();
        ByteBuffer bytes = spare == null ? ByteBuffer.allocateDirect(READ) : spare;
        int read = from.read(bytes.clear());
        underway.put(new Slot(bytes.flip(), System.nanoTime() + delayNanos));
        if (read < 0) {
          return;
        }
      }
    } catch (IOException e) {
      underway.clear();
      var _ = underway.offer(new Slot(ByteBuffer.allocate(0), System.nanoTime()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void write(
      SocketChannel to,
      SocketChannel from,
      BlockingQueue<Slot> underway,
      BlockingQueue<ByteBuffer> free) {
    try {
      while (true) {
        Slot slot = underway.take();
        for (long left = slot.due() - System.nanoTime();
            left > 0;
            left = slot.due() - System.nanoTime()) {
          LockSupport.parkNanos(left);
        }
        if (!slot.bytes().hasRemaining()) {
          to.shutdownOutput();
          return;
        }
        LoadSink.writeAll(to, slot.bytes());
        var _ = free.offer(slot.bytes());
      }
    } catch (IOException e) {
      closeQuietly(to);
      closeQuietly(from);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void closeQuietly(SocketChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      // Closed is closed.
    }
  }
}
