package dev.towline.relay.pair;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A TCP server in the secure zone; each connection is served by a virtual thread. */
final class Target implements AutoCloseable {
  interface Service {
    void serve(Socket socket) throws IOException;
  }

  private final ServerSocket listener;
  private final List<Socket> accepted = new CopyOnWriteArrayList<>();

  Target(Service service) {
    try {
      listener = new ServerSocket(0, 500, InetAddress.getLoopbackAddress());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Thread.ofVirtual().start(() -> acceptAll(service));
  }

  /** Sends back what comes, then its own end when the other ended. */
  static Target echo() {
    return new Target(socket -> {
      socket.getInputStream().transferTo(socket.getOutputStream());
      socket.shutdownOutput();
    });
  }

  int port() {
    return listener.getLocalPort();
  }

  String address() {
    return "127.0.0.1:" + port();
  }

  List<Socket> accepted() {
    return accepted;
  }

  private void acceptAll(Service service) {
    while (true) {
      try {
        Socket socket = listener.accept();
        socket.setTcpNoDelay(true);
        accepted.add(socket);
        Thread.ofVirtual()
            .start(() -> {
              try (socket) {
                service.serve(socket);
              } catch (IOException e) {
                // The test looks at its own end.
              }
            });
      } catch (IOException e) {
        return;
      }
    }
  }

  @Override
  public void close() {
    try {
      listener.close();
      for (Socket socket : accepted) {
        socket.close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
