package dev.towline.manager.alerts;

import jakarta.mail.Message;
import jakarta.mail.MessagingException;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeMessage;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Date;
import java.util.Map;
import java.util.Properties;

/** Webhook (JSON by POST), mail (SMTP) and syslog (RFC 5424 over UDP or TCP). */
public final class AlertTransports implements AlertSender.Transport {
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final int SYSLOG_UDP = 514;
  private static final int SYSLOG_TCP = 601;

  private final HttpClient http =
      HttpClient.newBuilder()
          .connectTimeout(LIMIT)
          .followRedirects(HttpClient.Redirect.NEVER)
          .build();
  private final String fleet;
  private final String host;
  private final InstantSource clock;

  /**
   * @param host name of this manager, for syslog
   */
  public AlertTransports(String fleet, String host, InstantSource clock) {
    this.fleet = fleet;
    this.host = host;
    this.clock = clock;
  }

  @Override
  public void send(AlertRoute route, Alert alert, String what) throws Exception {
    URI uri = route.uri();
    switch (uri.getScheme()) {
      case "http", "https" -> webhook(route, alert, what);
      case "smtp", "smtps" -> mail(route, alert, what);
      case "syslog+udp" -> syslogUdp(uri, syslog(alert, what));
      case "syslog+tcp" -> syslogTcp(uri, syslog(alert, what));
      default -> throw new IOException("route target: " + route.target() + " (unknown scheme)");
    }
  }

  private void webhook(AlertRoute route, Alert alert, String what)
      throws IOException, InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(route.uri())
            .timeout(LIMIT)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(AlertText.json(alert, what, fleet)));
    if (!route.secret().isEmpty()) {
      request.header("Authorization", "Bearer " + route.secret());
    }
    HttpResponse<Void> response =
        http.send(request.build(), HttpResponse.BodyHandlers.discarding());
    if (response.statusCode() / 100 != 2) {
      throw new IOException("webhook answered " + response.statusCode());
    }
  }

  private void mail(AlertRoute route, Alert alert, String what) throws MessagingException {
    URI uri = route.uri();
    Map<String, String> query = AlertRoute.query(uri);
    boolean tls = uri.getScheme().equals("smtps");
    var properties = new Properties();
    String prefix = "mail." + uri.getScheme() + ".";
    for (String timeout : new String[] {"timeout", "connectiontimeout", "writetimeout"}) {
      properties.setProperty(prefix + timeout, Long.toString(LIMIT.toMillis()));
    }
    properties.setProperty(prefix + "ssl.checkserveridentity", "true");
    // A password never travels in the clear.
    properties.setProperty(prefix + "starttls.enable", "true");
    properties.setProperty(
        prefix + "starttls.required", Boolean.toString(!tls && uri.getUserInfo() != null));
    Session session = Session.getInstance(properties);
    var message = new MimeMessage(session);
    message.setFrom(new InternetAddress(query.getOrDefault("from", "")));
    message.setRecipients(
        Message.RecipientType.TO, InternetAddress.parse(query.getOrDefault("to", "")));
    message.setSubject(
        AlertText.oneLine("[towline " + fleet + "] " + AlertText.subject(alert, what)), "UTF-8");
    message.setText(AlertText.line(alert, what) + "\n", "UTF-8");
    message.setSentDate(Date.from(clock.instant()));
    try (Transport transport = session.getTransport(uri.getScheme())) {
      transport.connect(
          uri.getHost(),
          uri.getPort(),
          uri.getUserInfo(),
          uri.getUserInfo() == null ? null : route.secret());
      transport.sendMessage(message, message.getAllRecipients());
    }
  }

  private byte[] syslog(Alert alert, String what) {
    return AlertText.syslog(alert, what, fleet, host, clock.instant())
        .getBytes(StandardCharsets.UTF_8);
  }

  private static void syslogUdp(URI uri, byte[] message) throws IOException {
    int port = uri.getPort() < 0 ? SYSLOG_UDP : uri.getPort();
    try (var socket = new DatagramSocket()) {
      socket.send(
          new DatagramPacket(message, message.length, InetAddress.getByName(uri.getHost()), port));
    }
  }

  /** Octet counting, RFC 6587. */
  private static void syslogTcp(URI uri, byte[] message) throws IOException {
    int port = uri.getPort() < 0 ? SYSLOG_TCP : uri.getPort();
    try (var socket = new Socket()) {
      socket.connect(new InetSocketAddress(uri.getHost(), port), (int) LIMIT.toMillis());
      var out = socket.getOutputStream();
      out.write((message.length + " ").getBytes(StandardCharsets.US_ASCII));
      out.write(message);
      out.flush();
    }
  }
}
