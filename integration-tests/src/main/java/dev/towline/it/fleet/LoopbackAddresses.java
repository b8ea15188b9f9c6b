package dev.towline.it.fleet;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.random.RandomGenerator;

/** A block of loopback addresses that no other fleet uses, so that default ports are free. */
public record LoopbackAddresses(String prefix) {

  /** A block in which the manager's port is free. */
  public static LoopbackAddresses free(RandomGenerator random) {
    for (int attempt = 0; attempt < 50; attempt++) {
      LoopbackAddresses block =
          new LoopbackAddresses(
              "127." + random.nextInt(20, 250) + "." + random.nextInt(1, 250) + ".");
      if (block.isFree()) {
        return block;
      }
    }
    throw new IllegalStateException("no free block of loopback addresses");
  }

  public String host(int number) {
    return prefix + number;
  }

  private boolean isFree() {
    try (ServerSocket socket = new ServerSocket()) {
      socket.bind(new InetSocketAddress(InetAddress.getByName(host(1)), 7443));
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
