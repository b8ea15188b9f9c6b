package dev.towline.proxy.mirror;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement({"P6", "I1"})
class MirrorServerTest {
  private static final byte[] PACKAGE = new byte[3_000_000];
  private static final Duration BOUND = Duration.ofSeconds(60);

  static {
    new SplittableRandom(1).nextBytes(PACKAGE);
  }

  @TempDir Path directory;

  private final TestFleet fleet = new TestFleet(InstantSource.system());
  private final IssuedIdentity proxy = fleet.issue(Role.PROXY, "p1");
  private final AtomicInteger packageGets = new AtomicInteger();
  private final AtomicInteger breakAfter = new AtomicInteger();
  private final ExecutorService upstreamThreads = Executors.newVirtualThreadPerTaskExecutor();
  private final HttpClient client = HttpClient.newHttpClient();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private final List<String> asked = new CopyOnWriteArrayList<>();
  private volatile String etag = "\"v1\"";
  private HttpsServer upstream;
  private MirrorServer mirror;

  @BeforeEach
  void start() throws IOException {
    upstream = upstream(fleet.issue(Role.MANAGER, "m1"));
    mirror = mirror(upstream, 4_000_000);
  }

  @AfterEach
  void stop() throws Exception {
    for (AutoCloseable resource : opened) {
      resource.close();
    }
    upstream.stop(0);
    upstreamThreads.shutdownNow();
    client.shutdownNow();
  }

  private HttpsServer upstream(IssuedIdentity identity) throws IOException {
    HttpsServer server = HttpsServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.setHttpsConfigurator(
        new HttpsConfigurator(
            FleetTls.httpClient(() -> Optional.of(identity), fleet.verifier(), peer -> true)));
    server.setExecutor(upstreamThreads);
    server.createContext("/install/", this::install);
    server.createContext("/packages/", this::pack);
    server.createContext("/updates/", this::update);
    server.start();
    return server;
  }

  private MirrorServer mirror(HttpsServer upstream, long limit) throws IOException {
    var site =
        new ManagerSite(
            List.of(new ServerAddress("127.0.0.1", upstream.getAddress().getPort())),
            FleetTls.httpClient(
                () -> Optional.of(proxy), fleet.verifier(), peer -> peer.role() == Role.MANAGER));
    ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    var cache = new PackageCache(packages(), limit, site, threads, InstantSource.system());
    var updates =
        new UpdateMirror(
            directory.resolve("updates"),
            limit,
            site,
            threads,
            InstantSource.system(),
            System::nanoTime,
            TimeUnit.NANOSECONDS::sleep,
            new SecureRandom());
    var started =
        new MirrorServer(
            site,
            cache,
            updates,
            threads,
            List.of(new InetSocketAddress("127.0.0.1", 0)),
            List.of(),
            new HttpsConfigurator(
                FleetTls.httpClient(() -> Optional.of(proxy), fleet.verifier(), peer -> true)));
    started.start();
    opened.add(started);
    opened.add(site);
    return started;
  }

  private void install(HttpExchange exchange) throws IOException {
    byte[] body = ("#!/bin/sh\n# " + exchange.getRequestURI() + "\n").getBytes();
    int code = exchange.getRequestURI().getPath().contains("expired") ? 410 : 200;
    exchange.getResponseHeaders().set("Content-Type", "text/x-shellscript");
    exchange.sendResponseHeaders(code, body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  private void update(HttpExchange exchange) throws IOException {
    asked.add(exchange.getRequestURI().getRawPath());
    exchange.getResponseHeaders().set("ETag", etag);
    if (!"Basic eDp5".equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
      exchange.getResponseHeaders().set("WWW-Authenticate", "Basic realm=\"updates\"");
      exchange.sendResponseHeaders(401, -1);
    } else if (etag.equals(exchange.getRequestHeaders().getFirst("If-None-Match"))) {
      exchange.sendResponseHeaders(304, -1);
    } else if ("bytes=1-2".equals(exchange.getRequestHeaders().getFirst("Range"))) {
      exchange.getResponseHeaders().set("Content-Range", "bytes 1-2/4");
      exchange.sendResponseHeaders(206, 2);
      exchange.getResponseBody().write(new byte[] {'b', 'c'});
    } else {
      exchange.sendResponseHeaders(200, 4);
      exchange.getResponseBody().write(new byte[] {'a', 'b', 'c', 'd'});
    }
    exchange.close();
  }

  private void pack(HttpExchange exchange) throws IOException {
    if (exchange.getRequestURI().getPath().contains("missing")) {
      exchange.sendResponseHeaders(404, -1);
      exchange.close();
      return;
    }
    exchange.getResponseHeaders().set("ETag", etag);
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.getResponseHeaders().set("Content-Length", "" + PACKAGE.length);
      exchange.sendResponseHeaders(200, -1);
      exchange.close();
      return;
    }
    packageGets.incrementAndGet();
    String range = exchange.getRequestHeaders().getFirst("Range");
    int from = range == null ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
    int cut = breakAfter.getAndSet(0);
    exchange.sendResponseHeaders(range == null ? 200 : 206, PACKAGE.length - from);
    OutputStream out = exchange.getResponseBody();
    out.write(PACKAGE, from, cut > 0 ? cut : PACKAGE.length - from);
    // With bytes missing, this cuts the connection.
    exchange.close();
  }

  private HttpResponse<byte[]> get(String path, String... headers) {
    var request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + mirror.ports().getFirst() + path));
    if (headers.length > 0) {
      request.headers(headers);
    }
    try {
      return client.send(request.build(), BodyHandlers.ofByteArray());
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  @Requirement({"U1", "U2", "U6"})
  void updates_anyName_arePassedOnWithPartsConditionsAndPassword() {
    String path = "/updates/content/a%2Bb%20100%2525/gr%C3%B6%C3%9Fe";

    assertThat(get(path).statusCode()).isEqualTo(401);
    assertThat(get(path).headers().firstValue("WWW-Authenticate")).isPresent();
    assertThat(new String(get(path, "Authorization", "Basic eDp5").body())).isEqualTo("abcd");
    HttpResponse<byte[]> part = get(path, "Authorization", "Basic eDp5", "Range", "bytes=1-2");
    assertThat(part.statusCode()).isEqualTo(206);
    assertThat(new String(part.body())).isEqualTo("bc");
    assertThat(part.headers().firstValue("Content-Range")).contains("bytes 1-2/4");
    assertThat(get(path, "Authorization", "Basic eDp5", "If-None-Match", etag).statusCode())
        .isEqualTo(304);
    assertThat(asked).containsOnly(path);
  }

  @Test
  void install_anyStatus_isPassedOnUnchanged() {
    HttpResponse<byte[]> script = get("/install/abc.sh?os=linux");
    HttpResponse<byte[]> expired = get("/install/expired.sh");

    assertThat(script.statusCode()).isEqualTo(200);
    assertThat(new String(script.body())).contains("/install/abc.sh?os=linux");
    assertThat(script.headers().firstValue("Content-Type")).contains("text/x-shellscript");
    assertThat(expired.statusCode()).isEqualTo(410);
  }

  @Test
  void package_askedForByManyAtOnce_isFetchedOnce() {
    List<CompletableFuture<byte[]>> readers = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      readers.add(
          CompletableFuture.supplyAsync(
              () -> get("/packages/agent.tar.gz").body(), upstreamThreads));
    }

    for (CompletableFuture<byte[]> reader : readers) {
      assertThat(Arrays.equals(reader.join(), PACKAGE)).isTrue();
    }
    assertThat(get("/packages/agent.tar.gz").body()).isEqualTo(PACKAGE);
    assertThat(packageGets).hasValue(1);
  }

  @Test
  void package_withRange_givesThatPart() {
    HttpResponse<byte[]> part = get("/packages/agent.tar.gz", "Range", "bytes=1000-1999");
    HttpResponse<byte[]> tail = get("/packages/agent.tar.gz", "Range", "bytes=-5");
    HttpResponse<byte[]> beyond = get("/packages/agent.tar.gz", "Range", "bytes=3000000-");

    assertThat(part.statusCode()).isEqualTo(206);
    assertThat(part.headers().firstValue("Content-Range")).contains("bytes 1000-1999/3000000");
    assertThat(part.body()).isEqualTo(Arrays.copyOfRange(PACKAGE, 1_000, 2_000));
    assertThat(tail.body()).isEqualTo(Arrays.copyOfRange(PACKAGE, 2_999_995, 3_000_000));
    assertThat(beyond.statusCode()).isEqualTo(416);
  }

  @Test
  void package_connectionBreaksOnTheWay_isTakenUpWhereItStopped() {
    breakAfter.set(1_234_567);

    assertThat(Arrays.equals(get("/packages/agent.tar.gz").body(), PACKAGE)).isTrue();

    assertThat(packageGets).hasValue(2);
  }

  @Test
  void package_managerAway_isServedFromTheCopy() {
    get("/packages/agent.tar.gz");
    awaitCopy();

    upstream.stop(0);

    assertThat(Arrays.equals(get("/packages/agent.tar.gz").body(), PACKAGE)).isTrue();
    HttpResponse<byte[]> other = get("/packages/other.tar.gz");
    assertThat(other.statusCode()).isEqualTo(502);
    assertThat(get("/install/abc.sh").statusCode()).isEqualTo(502);
  }

  @Test
  void package_newVersion_isFetchedAndPushesTheOldOut() {
    get("/packages/agent.tar.gz");
    awaitCopy();
    List<String> before = files();

    etag = "\"v2\"";
    get("/packages/agent.tar.gz");

    assertThat(packageGets).hasValue(2);
    Await.until("room", BOUND, () -> files().size() == 1 && !files().equals(before));
  }

  @Test
  void path_outsideTheTwo_isNotFound() {
    assertThat(get("/").statusCode()).isEqualTo(404);
    assertThat(get("/packages/a/b").statusCode()).isEqualTo(404);
    assertThat(get("/packages/..%2fkey.pem").statusCode()).isEqualTo(404);
    assertThat(get("/install/x/../../api").statusCode()).isEqualTo(404);
    assertThat(get("/packages/missing.deb").statusCode()).isEqualTo(404);
    Await.until("nothing is kept", BOUND, () -> files().isEmpty());
  }

  @Test
  @Requirement("T3")
  void upstream_thatIsNoManager_isNotAsked() throws IOException {
    HttpsServer impostor = upstream(fleet.issue(Role.PROXY, "p2"));
    opened.add(() -> impostor.stop(0));
    mirror = mirror(impostor, 4_000_000);

    assertThat(get("/install/abc.sh").statusCode()).isEqualTo(502);
    assertThat(get("/packages/agent.tar.gz").statusCode()).isEqualTo(502);
  }

  /** The answer has ended before its copy has its name. */
  private void awaitCopy() {
    Await.until(
        "the copy",
        BOUND,
        () -> {
          List<String> files = files();
          return files.size() == 1 && !files.getFirst().endsWith(".part");
        });
  }

  private Path packages() {
    return directory.resolve("packages");
  }

  private List<String> files() {
    try (Stream<Path> files = Files.list(packages())) {
      return files.map(file -> file.getFileName().toString()).toList();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
