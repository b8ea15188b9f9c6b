package dev.towline.runtime.updates;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.towline.runtime.updates.UpdateRefused.Reason;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HttpSourceTest {
  private static final byte[] CONTENT = new byte[300_000];

  static {
    new Random(5).nextBytes(CONTENT);
  }

  @TempDir private Path directory;
  private final String hash = MetadataFile.of(1, CONTENT).sha256();
  private final List<String> ranges = new CopyOnWriteArrayList<>();
  private final List<String> paths = new CopyOnWriteArrayList<>();
  private final AtomicLong time = new AtomicLong();
  private HttpServer server;
  private volatile Answer answer = HttpSourceTest::whole;

  private interface Answer {
    void give(HttpExchange exchange) throws IOException;
  }

  @BeforeEach
  void serve() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            paths.add(exchange.getRequestURI().getRawPath());
            ranges.add(String.valueOf(exchange.getRequestHeaders().getFirst("Range")));
            answer.give(exchange);
          }
        });
    server.start();
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private static void whole(HttpExchange exchange) throws IOException {
    exchange.sendResponseHeaders(200, CONTENT.length);
    exchange.getResponseBody().write(CONTENT);
  }

  private static void part(HttpExchange exchange, int from) throws IOException {
    exchange
        .getResponseHeaders()
        .set("Content-Range", "bytes %d-%d/%d".formatted(from, CONTENT.length - 1, CONTENT.length));
    exchange.sendResponseHeaders(206, CONTENT.length - from);
    exchange.getResponseBody().write(CONTENT, from, CONTENT.length - from);
  }

  private HttpSource source(String user, String password) {
    return new HttpSource(
        "http://127.0.0.1:" + server.getAddress().getPort() + "/any/where",
        user,
        password,
        null,
        time::get,
        time::addAndGet);
  }

  private PartialFile open() throws IOException {
    return PartialFile.open(directory.resolve("part"), CONTENT.length, hash);
  }

  private static TransferPace unlimited() {
    return new TransferPace(0, 0, Duration.ofSeconds(30));
  }

  @Test
  void copy_wholeFile_comes() throws Exception {
    try (PartialFile file = open()) {
      source("", "").copy("files/ab", file, unlimited());
      file.complete();
    }

    assertThat(Files.readAllBytes(directory.resolve("part"))).isEqualTo(CONTENT);
    assertThat(paths).containsExactly("/any/where/files/ab");
  }

  @Test
  @Requirement("U2")
  void fetch_nameWithSpecialCharacters_isAskedForEncoded() throws Exception {
    answer = exchange -> exchange.sendResponseHeaders(404, -1);

    assertThat(source("", "").fetch("a+b %25ü/.x", 10)).isEmpty();

    assertThat(paths).containsExactly("/any/where/a%2Bb%20%2525%C3%BC/.x");
  }

  @Test
  @Requirement("U4")
  void copy_afterABreak_asksForTheRestOnly() throws Exception {
    answer =
        exchange -> {
          exchange.sendResponseHeaders(200, CONTENT.length);
          exchange.getResponseBody().write(CONTENT, 0, 100_000);
          exchange.getResponseBody().flush();
          throw new IOException("broken");
        };
    try (PartialFile file = open()) {
      assertThatThrownBy(() -> source("", "").copy("f", file, unlimited()))
          .isInstanceOf(IOException.class);
    }
    try (PartialFile file = open()) {
      int from = (int) file.offset();
      assertThat(from).isPositive();
      answer = exchange -> part(exchange, from);
      source("", "").copy("f", file, unlimited());
      file.complete();
      assertThat(ranges.getLast()).isEqualTo("bytes=" + from + "-");
    }
  }

  @Test
  void copy_serverWithoutRanges_beginsAnew() throws Exception {
    Files.write(directory.resolve("part"), Arrays.copyOf(CONTENT, 1000));
    try (PartialFile file = open()) {
      source("", "").copy("f", file, unlimited());
      file.complete();
    }
  }

  @Test
  @Requirement("U5")
  void copy_answerWithoutEnd_isCutOff() throws Exception {
    answer =
        exchange -> {
          exchange.sendResponseHeaders(200, 0);
          try (OutputStream out = exchange.getResponseBody()) {
            for (int i = 0; i < 10_000; i++) {
              out.write(CONTENT);
            }
          }
        };
    try (PartialFile file = open()) {
      expect(Reason.OVERSIZED, () -> source("", "").copy("f", file, unlimited()));
    }
    assertThat(source("", "").fetch("f", 10).orElseThrow()).hasSize(11);
  }

  @Test
  @Requirement("U5")
  void copy_slowerThanAskedFor_isLeft() throws Exception {
    // By the clock of the test ten seconds pass whenever somebody looks at it.
    var source =
        new HttpSource(
            "http://127.0.0.1:" + server.getAddress().getPort(),
            "",
            "",
            null,
            () -> time.addAndGet(Duration.ofSeconds(10).toNanos()),
            time::addAndGet);
    try (PartialFile file = open()) {
      expect(
          Reason.SLOW,
          () -> source.copy("f", file, new TransferPace(0, 1_000_000, Duration.ofSeconds(30))));
    }
  }

  @Test
  @Requirement("U6")
  void fetch_userAndPassword_areSentAndRefusalsSaid() throws Exception {
    String expected =
        "Basic "
            + Base64.getEncoder().encodeToString("me:geheim€".getBytes(StandardCharsets.UTF_8));
    answer =
        exchange -> {
          boolean right = expected.equals(exchange.getRequestHeaders().getFirst("Authorization"));
          exchange.sendResponseHeaders(right ? 200 : 401, right ? 2 : -1);
          if (right) {
            exchange.getResponseBody().write(new byte[] {1, 2});
          }
        };

    assertThat(source("me", "geheim€").fetch("f", 10)).isPresent();
    assertThatThrownBy(() -> source("", "").fetch("f", 10)).hasMessageContaining("there are none");
    assertThatThrownBy(() -> source("me", "no").fetch("f", 10))
        .hasMessageContaining("refuses user and password");
  }

  @Test
  @Requirement("U6")
  void fetch_sentElsewhere_doesNotFollow() {
    answer =
        exchange -> {
          exchange.getResponseHeaders().set("Location", "http://127.0.0.2/");
          exchange.sendResponseHeaders(302, -1);
        };

    assertThatThrownBy(() -> source("me", "secret").fetch("f", 10))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("sends elsewhere");
    assertThat(paths).hasSize(1);
  }

  @Test
  void copy_anotherPartThanAskedFor_isRefused() throws Exception {
    Files.write(directory.resolve("part"), Arrays.copyOf(CONTENT, 1000));
    answer = exchange -> part(exchange, 2000);
    try (PartialFile file = open()) {
      assertThatThrownBy(() -> source("", "").copy("f", file, unlimited()))
          .hasMessageContaining("another part");
    }
  }

  @Test
  void isAddress_onlyHttpWithHost_isTaken() {
    assertThat(List.of("http://h/", "https://h:8443/a/b", "http://[::1]:80"))
        .allMatch(HttpSource::isAddress);
    assertThat(
            List.of("ftp://h/", "http://u:p@h/", "http://h/?q", "http://h/#f", "/dir", "http:///x"))
        .noneMatch(HttpSource::isAddress);
  }

  private interface Step {
    void run() throws Exception;
  }

  private static void expect(Reason reason, Step step) {
    assertThatThrownBy(step::run)
        .isInstanceOfSatisfying(UpdateRefused.class, e -> assertThat(e.reason()).isEqualTo(reason));
  }
}
