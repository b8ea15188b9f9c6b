package dev.towline.proxy.config;

import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import java.util.List;

/**
 * The settings of a proxy.
 *
 * @param listen address on which agents and HTTP clients are accepted
 * @param port where agents dial
 * @param httpPorts plain HTTP, for installing and updating; may be none
 * @param httpsPorts HTTPS, for updates; may be none
 * @param servers managers, or the downstream address of a child relay, in the order they are tried
 * @param managerPublic public HTTPS ports of managers, for what the HTTP ports serve
 * @param uplinkConnections TCP connections to the manager
 * @param mirrorMegabytes packages kept on disk
 * @param updatesMegabytes updates kept on disk
 * @param tlsProfile what it speaks with agents and managers
 */
public record ProxyConfig(
    String listen,
    int port,
    List<Integer> httpPorts,
    List<Integer> httpsPorts,
    List<ServerAddress> servers,
    List<ServerAddress> managerPublic,
    int uplinkConnections,
    int mirrorMegabytes,
    int updatesMegabytes,
    TlsProfile tlsProfile) {
  public ProxyConfig {
    httpPorts = List.copyOf(httpPorts);
    httpsPorts = List.copyOf(httpsPorts);
    servers = List.copyOf(servers);
    managerPublic = List.copyOf(managerPublic);
  }
}
