package dev.towline.runtime.firewall;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/**
 * Sends single packets from a network namespace: lines {@code PROTOCOL SOURCE PORT DESTINATION
 * PORT}, each answered with a line.
 */
public final class PacketSender {
  private PacketSender() {}

  public static void main(String[] args) throws IOException {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] word = line.split(" ");
      var from = new InetSocketAddress(word[1], Integer.parseInt(word[2]));
      var to = new InetSocketAddress(word[3], Integer.parseInt(word[4]));
      System.out.println(send(word[0].equals("tcp"), from, to));
    }
  }

  private static String send(boolean tcp, InetSocketAddress from, InetSocketAddress to) {
    try {
      if (tcp) {
        try (SocketChannel channel = SocketChannel.open()) {
          channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
          channel.setOption(StandardSocketOptions.SO_LINGER, 0);
          channel.configureBlocking(false);
          channel.bind(from);
          channel.connect(to);
        }
      } else {
        try (DatagramChannel channel = DatagramChannel.open()) {
          channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
          channel.bind(from);
          channel.send(ByteBuffer.wrap(new byte[] {1}), to);
        }
      }
      return "sent";
    } catch (IOException e) {
      // A dropped outgoing packet is an error of the call.
      return "failed: " + e.getMessage();
    }
  }
}
