package dev.towline.agent.direction;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A port that is held with next to no memory until somebody knocks: a server with its TLS costs
 * some MiB, which most hosts would never use. The first connection is closed, and the real door
 * opened in its place; a manager dials again within a second.
 *
 * <p>Lifecycle: {@link #open} to {@link #close}. Threading: safe for use by several threads; one of
 * its own waits. Failure: a port that is taken by somebody else in between is tried again every few
 * seconds.
 */
public final class QuietDoor implements Door {
  private static final Logger log = LoggerFactory.getLogger(QuietDoor.class);
  private static final Duration AGAIN = Duration.ofSeconds(5);
  private static final Duration FREED_WITHIN = Duration.ofSeconds(5);

  private final ServerSocketChannel socket;
  private final int port;
  private final RealDoor real;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Thread waiter;
  private @Nullable Door opened;

  /** Opens the door that takes managers in. */
  @FunctionalInterface
  public interface RealDoor {
    Door open(int port) throws IOException;
  }

  private QuietDoor(ServerSocketChannel socket, int port, RealDoor real, ThreadFactory threads) {
    this.socket = socket;
    this.port = port;
    this.real = real;
    this.waiter = threads.newThread(this::await);
  }

  /**
   * @throws IOException when the port can't be listened on
   */
  public static QuietDoor open(int port, RealDoor real, ThreadFactory threads) throws IOException {
    ServerSocketChannel socket = ServerSocketChannel.open();
    try {
      socket.bind(new InetSocketAddress(port));
      int bound = ((InetSocketAddress) socket.getLocalAddress()).getPort();
      var door = new QuietDoor(socket, bound, real, threads);
      door.waiter.start();
      return door;
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  @Override
  public int port() {
    return port;
  }

  /** Returns once the port is free: the system holds it as long as a thread waits in accept. */
  @Override
  public void close() {
    closed.countDown();
    synchronized (this) {
      if (opened != null) {
        opened.close();
      }
    }
    closeSocket();
    try {
      if (!waiter.join(FREED_WITHIN)) {
        log.warn("port {} is still held after {}", port, FREED_WITHIN);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void await() {
    try {
      socket.accept().close();
    } catch (ClosedChannelException _) {
      return;
    } catch (IOException e) {
      log.debug("nobody could come in: {}", e.toString());
    }
    closeSocket();
    try {
      while (closed.getCount() > 0 && !openReal()) {
        if (closed.await(AGAIN.toMillis(), TimeUnit.MILLISECONDS)) {
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized boolean openReal() {
    if (closed.getCount() == 0) {
      return true;
    }
    try {
      opened = real.open(port);
      return true;
    } catch (IOException e) {
      log.warn("port {} can't be listened on any more: {}; tried again", port, e.toString());
      return false;
    }
  }

  private void closeSocket() {
    try {
      socket.close();
    } catch (IOException e) {
      log.debug("port {}: {}", port, e.toString());
    }
  }
}
