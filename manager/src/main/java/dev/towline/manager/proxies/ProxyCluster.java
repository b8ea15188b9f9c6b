package dev.towline.manager.proxies;

/**
 * Proxies under one address. Name and address never change.
 *
 * @param address IP address (one proxy) or domain name (several)
 * @param port of the proxies' session listener
 * @param httpPort of their plain HTTP listener
 */
public record ProxyCluster(
    String name, String address, String description, int port, int httpPort, long createdMs) {}
