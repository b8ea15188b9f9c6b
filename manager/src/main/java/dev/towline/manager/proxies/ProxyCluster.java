package dev.towline.manager.proxies;

import java.util.List;

/**
 * Proxies under one address. Name and address never change.
 *
 * @param address IP address (one proxy) or domain name (several)
 * @param port of the proxies' session listener
 * @param httpPort of their plain HTTP listener
 */
public record ProxyCluster(
    String name, String address, String description, int port, int httpPort, long createdMs) {
  private static final int USUAL_HTTP_PORT = 8080;

  /** Where its proxies listen for plain HTTP: the usual port comes with port 80 (P6). */
  public List<Integer> httpPorts() {
    return httpPort == USUAL_HTTP_PORT ? List.of(httpPort, 80) : List.of(httpPort);
  }
}
