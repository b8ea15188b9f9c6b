package dev.towline.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;

/**
 * Passes TCP connections on, every byte later by the same time in both directions, with no loss and
 * no limit of its own: what is on its way may be {@value #SLOTS} reads of {@value #READ} bytes in
 * each direction of each connection.
 *
 * <p>Lifecycle: from its construction to {@link #close}. Threading: two threads for each direction,
 * one reads and one writes when the time has come. Failure: a side that breaks closes both.
 */
public final class DelayingProxy implements AutoCloseable {
  private static final int READ = 64 * 1024;
  private static final int SLOTS = 2048;

  private final ServerSocketChannel listener;
  private final InetSocketAddress target;
  private final long delayNanos;
  private final List<SocketChannel> channels = new CopyOnWriteArrayList<>();
  private volatile boolean closed;

  /** Bytes and when they may go on; none at the end. */
  private record Slot(ByteBuffer bytes, long due) {}

  /**
   * @param address where it listens
   */
  public DelayingProxy(InetSocketAddress address, InetSocketAddress target, Duration oneWay)
      throws IOException {
    this.target = target;
    this.delayNanos = oneWay.toNanos();
    listener = ServerSocketChannel.open();
    listener.bind(address);
    Thread.ofPlatform().daemon().name("accept").start(this::acceptAll);
  }

  public InetSocketAddress address() {
    try {
      return (InetSocketAddress) listener.getLocalAddress();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() throws IOException {
    closed = true;
    listener.close();
    for (SocketChannel channel : channels) {
      channel.close();
    }
  }

  private void acceptAll() {
    while (true) {
      try {
        SocketChannel in = listener.accept();
        SocketChannel out = SocketChannel.open(target);
        channels.add(in);
        channels.add(out);
        in.setOption(StandardSocketOptions.TCP_NODELAY, true);
        out.setOption(StandardSocketOptions.TCP_NODELAY, true);
        pass(in, out);
        pass(out, in);
      } catch (IOException e) {
        if (closed) {
          return;
        }
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
        while (slot.bytes().hasRemaining()) {
          to.write(slot.bytes());
        }
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
