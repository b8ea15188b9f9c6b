package dev.towline.manager.rest;

import dev.towline.runtime.tls.TlsProfile;
import dev.towline.runtime.tls.Turns;
import java.time.Duration;
import org.eclipse.jetty.alpn.server.ALPNServerConnectionFactory;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.http2.server.HTTP2ServerConnectionFactory;
import org.eclipse.jetty.io.ssl.SslHandshakeListener;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The listeners of Jetty servers. */
final class Connectors {
  private static final Logger log = LoggerFactory.getLogger(Connectors.class);
  private static final long IDLE_MS = 60_000;
  private static final int REFUSALS = 20;

  private Connectors() {}

  /** HTTP/2 and HTTP/1.1 over TLS; host names are not compared, hosts use addresses too. */
  static ServerConnector tls(
      Server server,
      HttpConfiguration base,
      SslContextFactory.Server tls,
      TlsProfile profile,
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
            server, new SslConnectionFactory(tls, alpn.getProtocol()), alpn, http2, http1);
    connector.addBean(new RefusalLog(profile, port));
    return at(connector, address, port);
  }

  static ServerConnector plain(Server server, HttpConfiguration base, String address, int port) {
    var http = new HttpConfiguration(base);
    http.setSendServerVersion(false);
    return at(new ServerConnector(server, new HttpConnectionFactory(http)), address, port);
  }

  /** Says why a client has no TLS in common with a port; what it offered Jetty does not tell. */
  private static final class RefusalLog implements SslHandshakeListener {
    private final TlsProfile profile;
    private final int port;
    private final Turns turns = new Turns(REFUSALS, Duration.ofMinutes(1), System::nanoTime);

    RefusalLog(TlsProfile profile, int port) {
      this.profile = profile;
      this.port = port;
    }

    @Override
    public void handshakeFailed(Event event, Throwable failure) {
      String text = String.valueOf(failure.getMessage());
      if ((text.contains("no cipher suites in common") || text.contains("protocol"))
          && turns.take()) {
        log.warn(
            "client {} of port {} has no TLS in common with profile {}: {}; accepted: {}; update"
                + " the client, or choose a wider --tls-profile",
            event.getEndPoint() == null ? "" : event.getEndPoint().getRemoteSocketAddress(),
            port,
            profile.label(),
            text,
            profile.accepts());
      }
    }
  }

  private static ServerConnector at(ServerConnector connector, String address, int port) {
    connector.setHost(address);
    connector.setPort(port);
    connector.setIdleTimeout(IDLE_MS);
    return connector;
  }
}
