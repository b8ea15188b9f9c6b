package dev.towline.runtime.tls;

import java.util.Optional;
import java.util.regex.Pattern;

/** Where a member of the fleet is dialled: host name or IP address, and port. */
public record ServerAddress(String host, int port) {
  private static final Pattern IPV4 = Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}");

  public ServerAddress {
    if (host.isEmpty() || port < 1 || port > 65_535) {
      throw new IllegalArgumentException(
          "server address: %s:%d (expected: host and a port from 1 to 65535)"
              .formatted(host, port));
    }
  }

  /** Reads {@code host:port}, an IPv6 address in brackets; empty when it is none. */
  public static Optional<ServerAddress> parse(String text) {
    int colon = text.lastIndexOf(':');
    if (colon <= 0) {
      return Optional.empty();
    }
    String host = text.substring(0, colon);
    if (host.startsWith("[") && host.endsWith("]")) {
      host = host.substring(1, host.length() - 1);
    } else if (host.indexOf(':') >= 0) {
      return Optional.empty();
    }
    try {
      int port = Integer.parseInt(text.substring(colon + 1));
      return host.isEmpty() || port < 1 || port > 65_535
          ? Optional.empty()
          : Optional.of(new ServerAddress(host, port));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }

  /** Whether the host is an address and no name. */
  public boolean isLiteral() {
    return host.indexOf(':') >= 0 || IPV4.matcher(host).matches();
  }

  @Override
  public String toString() {
    return host.indexOf(':') >= 0 ? "[" + host + "]:" + port : host + ":" + port;
  }
}
