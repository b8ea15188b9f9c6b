package dev.towline.manager.rest;

import dev.towline.runtime.tls.HandshakeRefusal;
import dev.towline.runtime.tls.TlsProfile;
import java.util.function.BiConsumer;
import org.eclipse.jetty.alpn.server.ALPNServerConnectionFactory;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.http2.server.HTTP2ServerConnectionFactory;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.ssl.SslContextFactory;

/** The listeners of Jetty servers. */
final class Connectors {
  private static final long IDLE_MS = 60_000;

  private Connectors() {}

  /**
   * HTTP/2 and HTTP/1.1 over TLS; host names are not compared, hosts use addresses too.
   *
   * @param refusals hears of clients that have no TLS in common with the profile
   */
  static ServerConnector tls(
      Server server,
      HttpConfiguration base,
      SslContextFactory.Server tls,
      TlsProfile profile,
      BiConsumer<String, HandshakeRefusal> refusals,
      String address,
      int port) {
    var https = new HttpConfiguration(base);
    https.setSendServerVersion(false);
    https.setSendDateHeader(false);
    var customizer = new SecureRequestCustomizer();
    customizer.setSniHostCheck(false);
    customizer.setSniRequired(false);
    https.addCustomizer(customizer);
    var http1 = new HttpConnectionFactory(https);
    var http2 = new HTTP2ServerConnectionFactory(https);
    http2.setStreamIdleTimeout(IDLE_MS);
    var alpn = new ALPNServerConnectionFactory();
    alpn.setDefaultProtocol(HttpVersion.HTTP_1_1.asString());
    var connector =
        new ServerConnector(
            server, new WatchedTls(tls, alpn.getProtocol(), profile, refusals), alpn, http2, http1);
    return at(connector, address, port);
  }

  static ServerConnector plain(Server server, HttpConfiguration base, String address, int port) {
    var http = new HttpConfiguration(base);
    http.setSendServerVersion(false);
    return at(new ServerConnector(server, new HttpConnectionFactory(http)), address, port);
  }

  private static ServerConnector at(ServerConnector connector, String address, int port) {
    connector.setHost(address);
    connector.setPort(port);
    connector.setIdleTimeout(IDLE_MS);
    return connector;
  }
}
