package dev.towline.manager.alerts;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.towline.manager.events.Events;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.sqlite.SqliteDatabase;
import dev.towline.testing.Requirement;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Alerts over an embedded database, and their way out. */
@Requirement({"H3", "H4"})
final class AlertsTest {
  @TempDir Path directory;

  private Instant now = Instant.parse("2026-01-01T00:00:00Z");
  private final InstantSource clock = () -> now;
  private Store store;
  private Alerts alerts;
  private final List<String> told = new ArrayList<>();
  private String problem = "";

  @BeforeEach
  void open() {
    store = SqliteDatabase.open(directory.resolve("manager.db"));
    alerts = new Alerts(store, new AlertOutbox(clock), clock);
    new AlertRoutes(store, clock).set("log", "syslog+udp://127.0.0.1:514", "");
  }

  @AfterEach
  void close() {
    store.close();
  }

  @Test
  void raisedTwice_isOneAlert_thatIsToldOnce() {
    raise(AlertKind.CLOCK_CHANGED, "h1");
    raise(AlertKind.CLOCK_CHANGED, "h1");
    assertThat(alerts.list(false, false, "", 0, 10))
        .singleElement()
        .satisfies(alert -> assertThat(alert.times()).isEqualTo(2));
    assertThat(tell()).containsExactly("raised h1");
    over(AlertKind.CLOCK_CHANGED, "h1");
    assertThat(alerts.list(false, false, "", 0, 10)).as("to be cleared by hand").hasSize(1);
    Alert cleared = alerts.clear(alerts.list(false, false, "", 0, 10).getFirst().id(), "ann");
    assertThat(cleared.clearedBy()).isEqualTo("ann");
    assertThat(tell()).containsExactly("cleared by ann h1");
    assertThat(alerts.list(false, false, "", 0, 10)).isEmpty();
    assertThat(alerts.list(true, false, "h1", 0, 10)).containsExactly(cleared);
  }

  @Test
  void hostThatIsBack_clearsItsAlert_andTheHistoryStays() {
    raise(AlertKind.HEARTBEATS_MISSED, "h1");
    over(AlertKind.HEARTBEATS_MISSED, "h1");
    raise(AlertKind.HEARTBEATS_MISSED, "h1");
    assertThat(tell()).containsExactly("raised h1", "cleared by itself h1", "raised h1");
    assertThat(alerts.list(false, false, "", 0, 10)).hasSize(1);
    assertThat(alerts.list(true, false, "", 0, 10)).hasSize(2);
  }

  @Test
  void thousandsAtOnce_areOneSummary() {
    raise(
        AlertKind.HEARTBEATS_MISSED,
        IntStream.range(0, 3000).mapToObj(i -> "h" + i).toArray(String[]::new));
    assertThat(alerts.list(false, false, "", 0, 10))
        .singleElement()
        .satisfies(summary -> {
          assertThat(summary.isSummary()).isTrue();
          assertThat(summary.times()).isEqualTo(3000);
          assertThat(summary.message()).startsWith("3000 hosts: heartbeats-missed (h0, h1,");
        });
    assertThat(alerts.list(false, true, "", 0, 1000)).hasSize(1000);
    raise(AlertKind.HEARTBEATS_MISSED, "late");
    assertThat(tell()).containsExactly("raised ");
    over(
        AlertKind.HEARTBEATS_MISSED,
        IntStream.range(0, 3000).mapToObj(i -> "h" + i).toArray(String[]::new));
    assertThat(tell()).isEmpty();
    over(AlertKind.HEARTBEATS_MISSED, "late");
    assertThat(tell()).containsExactly("cleared by itself ");
    assertThat(alerts.list(false, true, "", 0, 10)).isEmpty();
  }

  @Test
  void aFewWithinAMinute_areToldEach_moreJoinASummary() {
    for (int i = 0; i < Alerts.BURST; i++) {
      raise(AlertKind.AGENT_STOPPED, "h" + i);
    }
    assertThat(tell()).hasSize(Alerts.BURST);
    raise(AlertKind.AGENT_STOPPED, "one-more");
    assertThat(tell()).containsExactly("raised ");
    assertThat(alerts.list(false, false, "", 0, 100)).hasSize(1);
    long summary = alerts.list(false, false, "", 0, 100).getFirst().id();
    alerts.clear(summary, "ann");
    assertThat(alerts.list(false, true, "", 0, 100)).isEmpty();
  }

  @Test
  void routeThatFails_isTriedAgainLaterAndInOrder() {
    raise(AlertKind.HEARTBEATS_MISSED, "h1");
    over(AlertKind.HEARTBEATS_MISSED, "h1");
    problem = "no such host";
    assertThat(tell()).isEmpty();
    assertThat(new AlertRoutes(store, clock).list().getFirst().lastError())
        .isEqualTo("no such host");
    problem = "";
    assertThat(tell()).as("before the pause is over").isEmpty();
    now = now.plus(AlertSender.FIRST_PAUSE);
    assertThat(tell()).containsExactly("raised h1", "cleared by itself h1");
    assertThat(new AlertRoutes(store, clock).list().getFirst().lastError()).isEmpty();
    raise(AlertKind.HEARTBEATS_MISSED, "h2");
    problem = "no such host";
    for (int i = 0; i < 200; i++) {
      tell();
      now = now.plus(AlertSender.LONGEST_PAUSE);
    }
    problem = "";
    assertThat(tell()).as("given up after a day").isEmpty();
    assertThat(AlertSender.pause(60)).isEqualTo(AlertSender.LONGEST_PAUSE);
  }

  @Test
  void webhook_getsJsonAndItsToken() throws Exception {
    var request = new CompletableFuture<String>();
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/hook",
        exchange -> {
          request.complete(
              exchange.getRequestHeaders().getFirst("Authorization")
                  + " "
                  + new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
          exchange.sendResponseHeaders(204, -1);
        });
    server.start();
    try {
      send("http://127.0.0.1:" + server.getAddress().getPort() + "/hook", "secret");
      assertThat(request.get(60, TimeUnit.SECONDS))
          .startsWith("Bearer secret {")
          .contains("\"kind\":\"clock-changed\"", "\"what\":\"raised\"", "\"fleet\":\"f1\"");
    } finally {
      server.stop(0);
    }
  }

  @Test
  void syslog_isOneMessageOfRfc5424_whateverTheHostIsCalled() throws Exception {
    try (var socket = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      socket.setSoTimeout(60_000);
      send("syslog+udp://127.0.0.1:" + socket.getLocalPort(), "");
      var packet = new DatagramPacket(new byte[4096], 4096);
      socket.receive(packet);
      assertThat(new String(packet.getData(), 0, packet.getLength(), StandardCharsets.UTF_8))
          .isEqualTo(
              "<108>1 2026-01-01T00:00:00Z manager towline-manager - clock-changed"
                  + " [towline@59999 id=\"7\" fleet=\"f1\" host=\"we\\]b \\\"1\"] raised: we]b \"1:"
                  + " set (clock-changed)");
    }
  }

  @Test
  void mail_isSentOverSmtp_withoutLinesOfItsHost() throws Exception {
    try (var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      CompletableFuture<String> received =
          CompletableFuture.supplyAsync(
              () -> smtp(server), command -> Thread.ofPlatform().daemon().start(command));
      send("smtp://127.0.0.1:" + server.getLocalPort() + "?from=a@b.example&to=c@b.example", "");
      assertThat(received.get(60, TimeUnit.SECONDS))
          .contains("MAIL FROM:<a@b.example>", "RCPT TO:<c@b.example>")
          .contains("Subject: [towline f1] raised: clock-changed we]b \"1")
          .contains("raised: we]b \"1: set (clock-changed)");
    }
  }

  private void send(String target, String secret) throws Exception {
    AlertRoute.check("route", target);
    var alert =
        new Alert(
            7,
            AlertKind.CLOCK_CHANGED,
            "h1",
            "we]b\n\"1",
            "set",
            now.toEpochMilli(),
            0,
            1,
            0,
            "",
            0);
    new AlertTransports("f1", "manager", clock)
        .send(new AlertRoute("route", target, secret, 0, 0, ""), alert, "raised");
  }

  /** Takes one mail, as a server that knows no extension. */
  private static String smtp(ServerSocket server) {
    var all = new StringBuilder();
    try (Socket socket = server.accept()) {
      var in =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
      var out = socket.getOutputStream();
      out.write("220 test\r\n".getBytes(StandardCharsets.US_ASCII));
      boolean data = false;
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        all.append(line).append('\n');
        if (data && !line.equals(".")) {
          continue;
        }
        data = line.equals("DATA");
        String answer = data ? "354 go on" : line.equals("QUIT") ? "221 bye" : "250 ok";
        out.write((answer + "\r\n").getBytes(StandardCharsets.US_ASCII));
      }
    } catch (IOException e) {
      all.append(e);
    }
    return all.toString();
  }

  private List<String> tell() {
    told.clear();
    var sender =
        new AlertSender(
            store,
            new Events(store, clock),
            (_, alert, what) -> {
              if (!problem.isEmpty()) {
                throw new IOException(problem);
              }
              told.add(what + " " + alert.subject());
            },
            clock);
    while (sender.run() > 0) {
      // until nothing is due
    }
    return List.copyOf(told);
  }

  private void raise(AlertKind kind, String... hosts) {
    List<Alerts.Wanted> wanted = new ArrayList<>();
    for (String host : hosts) {
      wanted.add(new Alerts.Wanted(kind, host, host, "something"));
    }
    store.commit(tx -> {
      alerts.raise(tx, wanted);
      return wanted;
    });
  }

  private void over(AlertKind kind, String... hosts) {
    store.commit(tx -> {
      for (String host : hosts) {
        alerts.over(tx, kind, host);
      }
      return hosts;
    });
  }
}
