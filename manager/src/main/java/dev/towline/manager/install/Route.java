package dev.towline.manager.install;

import java.util.List;

/**
 * How a host that is to be installed reaches the manager.
 *
 * @param servers host:port of sessions, in the order of trying
 * @param sources base addresses of script and packages; the first one stands in the command
 */
record Route(List<String> servers, List<String> sources) {
  Route {
    servers = List.copyOf(servers);
    sources = List.copyOf(sources);
  }

  /** For addresses with colons the square brackets of URLs. */
  static String hostPort(String host, int port) {
    return (host.contains(":") && !host.startsWith("[") ? "[" + host + "]" : host) + ":" + port;
  }
}
