package dev.towline.manager.nodes;

import dev.towline.manager.proxies.ProxyReports;
import dev.towline.proto.v1.Path;

/** What is known of nodes that are in session right now. Safe to ask from any thread. */
public interface LiveNodes {
  boolean isLive(String node);

  /** How many hosts are in session through this proxy. */
  int clientsOf(String proxy);

  /** What proxies said of their load. */
  ProxyReports proxyReports();

  /** How the node's session reaches the manager, or how its last one did. */
  Path path(Node node);
}
