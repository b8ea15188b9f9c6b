package dev.towline.cli.login;

import dev.towline.cli.error.Errors;
import dev.towline.runtime.error.TowlineException;
import java.net.URI;
import java.net.URISyntaxException;

/** Where the manager's console port is. */
public record ManagerAddress(String host, int port) {
  private static final int DEFAULT_PORT = 8444;

  /** Accepts {@code https://host:port}, {@code host:port} and {@code host}. */
  public static ManagerAddress parse(String text) {
    String trimmed = text.strip();
    if (trimmed.startsWith("http://")) {
      throw wrong(text, "the console speaks https only");
    }
    String url = trimmed.contains("://") ? trimmed : "https://" + trimmed;
    URI uri;
    try {
      uri = new URI(url);
    } catch (URISyntaxException _) {
      throw wrong(text, "not an address");
    }
    if (!"https".equals(uri.getScheme()) || uri.getHost() == null) {
      throw wrong(text, "not an address");
    }
    String host = uri.getHost();
    if (host.startsWith("[") && host.endsWith("]")) {
      host = host.substring(1, host.length() - 1);
    }
    return new ManagerAddress(host, uri.getPort() == -1 ? DEFAULT_PORT : uri.getPort());
  }

  /** As it is stored and shown. */
  public String url() {
    return "https://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }

  private static TowlineException wrong(String text, String why) {
    return new TowlineException(
        Errors.USAGE,
        "manager address: " + text + " (" + why + ", expected: https://HOST:8444)",
        "use the console address that towline-manager printed at its first start");
  }
}
