package dev.towline.agent.firewall;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;

/**
 * Requests and answers between namespaces: {@code serve PORT...}, or {@code ask HOST PORT}, which
 * goes on until its input ends and then prints how many answers came and how many did not.
 */
public final class TrafficMain {
  private TrafficMain() {}

  public static void main(String[] args) throws IOException, InterruptedException {
    if (args[0].equals("serve")) {
      for (int i = 1; i < args.length; i++) {
        var server = new ServerSocket(Integer.parseInt(args[i]));
        Thread.ofPlatform().start(() -> serve(server));
      }
      System.out.println("ready");
      return;
    }
    var asking =
        Thread.ofPlatform()
            .start(() -> {
              int answered = 0;
              int failed = 0;
              while (!Thread.interrupted()) {
                if (ask(args[1], Integer.parseInt(args[2]))) {
                  answered++;
                } else {
                  failed++;
                }
              }
              System.out.println(answered + " " + failed);
            });
    System.out.println("ready");
    while (System.in.read() >= 0) {
      // Until it ends.
    }
    asking.interrupt();
    asking.join();
  }

  static boolean ask(String host, int port) {
    try (var socket = new Socket()) {
      socket.connect(new InetSocketAddress(host, port), 5_000);
      socket.setSoTimeout(5_000);
      return socket.getInputStream().read() == 'y';
    } catch (IOException _) {
      return false;
    }
  }

  private static void serve(ServerSocket server) {
    while (true) {
      try (Socket socket = server.accept()) {
        socket.getOutputStream().write('y');
      } catch (IOException _) {
        // The next one.
        continue;
      }
    }
  }
}
