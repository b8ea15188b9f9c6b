package dev.towline.it.hostile;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A relay in the wrong hands: moves the bytes of TCP connections between agents and a manager, and
 * does to them what the {@link Tamper} says.
 *
 * <p>Lifecycle: listens from construction to {@link #close}, which cuts everything. Threading: two
 * virtual threads for each connection; a tamper is called by either.
 */
final class HostileRelay implements AutoCloseable {
  private final InetSocketAddress manager;
  private final ServerSocket listener;
  private final List<Tunnel> tunnels = new CopyOnWriteArrayList<>();
  private volatile Tamper tamper = Tamper.NONE;

  /** What is done to bytes on their way. */
  interface Tamper {
    Tamper NONE = new Tamper() {};

    default void up(Tunnel tunnel, byte[] bytes) throws IOException {
      tunnel.toManager(bytes);
    }

    default void down(Tunnel tunnel, byte[] bytes) throws IOException {
      tunnel.toAgent(bytes);
    }
  }

  HostileRelay(InetSocketAddress listen, InetSocketAddress manager) {
    this.manager = manager;
    try {
      this.listener = new ServerSocket();
      listener.bind(listen);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Thread.ofVirtual().name("hostile-relay").start(this::accept);
  }

  void tamper(Tamper with) {
    tamper = with;
  }

  /** Tunnels that live, oldest first. */
  List<Tunnel> tunnels() {
    return List.copyOf(tunnels);
  }

  /** One connection of an agent, and the one to the manager that it became. */
  final class Tunnel {
    private final Socket agent;
    private final Socket up;
    private final List<byte[]> fromAgent = new CopyOnWriteArrayList<>();
    private final List<byte[]> fromManager = new CopyOnWriteArrayList<>();

    Tunnel(Socket agent, Socket up) {
      this.agent = agent;
      this.up = up;
    }

    void toManager(byte[] bytes) throws IOException {
      write(up.getOutputStream(), bytes);
    }

    void toAgent(byte[] bytes) throws IOException {
      write(agent.getOutputStream(), bytes);
    }

    /** Everything that the agent has sent. */
    List<byte[]> fromAgent() {
      return List.copyOf(fromAgent);
    }

    List<byte[]> fromManager() {
      return List.copyOf(fromManager);
    }

    /** Ends both connections in good order, whatever was under way. */
    void end() {
      tunnels.remove(this);
      close(agent);
      close(up);
    }

    private void write(OutputStream out, byte[] bytes) throws IOException {
      synchronized (out) {
        out.write(bytes);
        out.flush();
      }
    }

    private void pump(Socket from, List<byte[]> record, boolean upwards) {
      byte[] buffer = new byte[64 << 10];
      try {
        InputStream in = from.getInputStream();
        for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
          byte[] bytes = Arrays.copyOf(buffer, read);
          record.add(bytes);
          if (upwards) {
            tamper.up(this, bytes);
          } else {
            tamper.down(this, bytes);
          }
        }
      } catch (IOException e) {
        // One side has gone; so goes the other.
      } finally {
        end();
      }
    }
  }

  /** A connection to the manager that no agent asked for. */
  Socket connect() throws IOException {
    Socket socket = new Socket();
    socket.connect(manager, 5_000);
    socket.setTcpNoDelay(true);
    return socket;
  }

  @Override
  public void close() {
    try {
      listener.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    tunnels().forEach(Tunnel::end);
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket agent = listener.accept();
        agent.setTcpNoDelay(true);
        Tunnel tunnel = new Tunnel(agent, connect());
        tunnels.add(tunnel);
        Thread.ofVirtual().start(() -> tunnel.pump(tunnel.agent, tunnel.fromAgent, true));
        Thread.ofVirtual().start(() -> tunnel.pump(tunnel.up, tunnel.fromManager, false));
      } catch (IOException e) {
        // Closed, or the manager is not there: the agent tries again.
      }
    }
  }

  private static void close(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // It is gone either way.
    }
  }
}
