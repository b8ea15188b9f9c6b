package dev.towline.relay.link;

import dev.towline.runtime.tls.ServerAddress;
import java.net.InetSocketAddress;

/** Where to connect. A name is looked up at each attempt, so that a changed entry counts. */
public final class Addresses {
  private Addresses() {}

  /**
   * @param text {@code host:port}, or a host alone
   * @throws IllegalArgumentException when it is neither
   */
  public static ServerAddress parse(String text, int defaultPort) {
    return ServerAddress.parse(text)
        .or(() -> ServerAddress.parse(text + ":" + defaultPort))
        .or(() -> ServerAddress.parse("[" + text + "]:" + defaultPort))
        .orElseThrow(
            () -> new IllegalArgumentException("address: " + text + " (expected: host:port)"));
  }

  /** Whether no name has to be looked up, so that {@link #resolve} does not block. */
  public static boolean isLiteral(ServerAddress address) {
    return address.host().indexOf(':') >= 0 || address.host().matches("[0-9.]+");
  }

  public static InetSocketAddress resolve(ServerAddress address) {
    return new InetSocketAddress(address.host(), address.port());
  }
}
