package dev.towline.relay.pair;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Passes TCP connections on to a port, late when told so, until it turns silent: then bytes vanish,
 * no reset.
 */
final class Firewall implements AutoCloseable {
  private final ServerSocket listener;
  private final int target;
  private final List<Socket> sockets = new CopyOnWriteArrayList<>();
  private final AtomicInteger accepted = new AtomicInteger();
  private volatile boolean silent;
  private volatile long delayNanos;

  Firewall(int target) {
    this.target = target;
    try {
      listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Thread.ofVirtual().start(this::acceptAll);
  }

  int port() {
    return listener.getLocalPort();
  }

  void silent(boolean now) {
    silent = now;
  }

  /** What comes from now on goes on that much later, in each direction. */
  void delay(Duration oneWay) {
    delayNanos = oneWay.toNanos();
  }

  /** How many connections came so far. */
  int accepted() {
    return accepted.get();
  }

  /** How many of them are still open at this end. */
  long open() {
    return sockets.stream().filter(socket -> !socket.isClosed()).count();
  }

  /** Resets everything that is connected, both ways. */
  void cut() {
    for (Socket socket : sockets) {
      try {
        socket.setSoLinger(true, 0);
      } catch (IOException e) {
        // Closed already.
      }
      closeQuietly(socket);
      sockets.remove(socket);
    }
  }

  private void acceptAll() {
    while (true) {
      try {
        Socket in = listener.accept();
        sockets.add(in);
        accepted.incrementAndGet();
        if (silent) {
          continue;
        }
        Socket out = new Socket(InetAddress.getLoopbackAddress(), target);
        sockets.add(out);
        Thread.ofVirtual().start(() -> pump(in, out));
        Thread.ofVirtual().start(() -> pump(out, in));
      } catch (IOException e) {
        return;
      }
    }
  }

  private void pump(Socket from, Socket to) {
    byte[] buffer = new byte[65_536];
    boolean dropped = false;
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        // What was dropped once makes the connection useless for ever, as a real one.
        dropped |= silent;
        if (!dropped) {
          hold(System.nanoTime() + delayNanos);
          out.write(buffer, 0, n);
        }
      }
      if (!dropped && !silent) {
        to.shutdownOutput();
      }
    } catch (IOException e) {
      if (!dropped && !silent) {
        closeQuietly(to);
      }
    }
  }

  private static void hold(long until) {
    for (long left = until - System.nanoTime(); left > 0; left = until - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // Closed is closed.
    }
  }

  @Override
  public void close() {
    try {
      listener.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    sockets.forEach(Firewall::closeQuietly);
  }
}
