package dev.towline.manager.session;

import dev.towline.runtime.identity.NodeIdentity;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * The other end of a session, as its own handshake with this manager showed it.
 *
 * @param chain leaf first
 * @param source host:port of the connection as this manager sees it; of the proxy's connection when
 *     there is one
 * @param proxy id of the proxy that carries the session; empty when none
 * @param proxySource host:port of the host as the proxy saw it; empty without a proxy
 * @param dialled this manager dialled, and source is where
 */
public record SessionPeer(
    NodeIdentity identity,
    List<X509Certificate> chain,
    String source,
    String proxy,
    String proxySource,
    String tlsProtocol,
    String tlsCipherSuite,
    boolean dialled) {
  public SessionPeer {
    chain = List.copyOf(chain);
  }

  /** One that dialled this manager. */
  public SessionPeer(
      NodeIdentity identity,
      List<X509Certificate> chain,
      String source,
      String proxy,
      String proxySource,
      String tlsProtocol,
      String tlsCipherSuite) {
    this(identity, chain, source, proxy, proxySource, tlsProtocol, tlsCipherSuite, false);
  }
}
