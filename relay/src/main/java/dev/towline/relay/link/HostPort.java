package dev.towline.relay.link;

import java.net.InetSocketAddress;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An address to connect to; the name is resolved at each attempt. */
public record HostPort(String host, int port) {
  private static final Pattern BRACKETED = Pattern.compile("\\[([0-9A-Fa-f:.%a-z]+)](?::(\\d+))?");
  private static final Pattern PLAIN = Pattern.compile("([^:\\[\\]\\s]+)(?::(\\d+))?");

  /**
   * @throws IllegalArgumentException when the text is not {@code host}, {@code host:port} or {@code
   *     [address]:port}
   */
  public static HostPort parse(String text, int defaultPort) {
    for (Pattern pattern : new Pattern[] {BRACKETED, PLAIN}) {
      Matcher matcher = pattern.matcher(text.strip());
      if (matcher.matches()) {
        int port = matcher.group(2) == null ? defaultPort : Integer.parseInt(matcher.group(2));
        if (port > 0 && port < 65536) {
          return new HostPort(matcher.group(1), port);
        }
      }
    }
    throw new IllegalArgumentException("address: " + text + " (expected: host:port)");
  }

  /** Whether no name has to be looked up. */
  public boolean isLiteral() {
    return host.indexOf(':') >= 0 || host.matches("[0-9.]+");
  }

  /** Looks the name up, which may block. */
  public InetSocketAddress resolve() {
    return new InetSocketAddress(host, port);
  }

  @Override
  public String toString() {
    return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
  }
}
