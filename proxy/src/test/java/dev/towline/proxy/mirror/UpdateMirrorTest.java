package dev.towline.proxy.mirror;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.updates.HttpSource;
import dev.towline.runtime.updates.PartialFile;
import dev.towline.runtime.updates.RepositoryPaths;
import dev.towline.runtime.updates.TransferPace;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement({"U1", "U6", "P6"})
class UpdateMirrorTest {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final byte[] LARGE = new byte[2_000_000];
  private static final String TIMESTAMP = "/updates/metadata/timestamp.json";
  private static final String PASSWORD = "Basic eDp5";
  private static final long SILENCE = TimeUnit.SECONDS.toNanos(20);

  static {
    new SplittableRandom(1).nextBytes(LARGE);
  }

  @TempDir Path directory;

  private final TestFleet fleet = new TestFleet(InstantSource.system());
  private final IssuedIdentity proxy = fleet.issue(Role.PROXY, "p1");
  private final ExecutorService upstreamThreads = Executors.newVirtualThreadPerTaskExecutor();
  private final HttpClient client = HttpClient.newHttpClient();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private final Map<String, byte[]> tree = new ConcurrentHashMap<>();
  private final List<String> gets = new CopyOnWriteArrayList<>();
  private final List<String> ranges = new CopyOnWriteArrayList<>();
  private final AtomicInteger breakAfter = new AtomicInteger();
  private final AtomicLong later = new AtomicLong();
  private final Semaphore silent = new Semaphore(0);
  private volatile CountDownLatch stall = new CountDownLatch(0);
  private volatile String password = "";
  private volatile Instant now = Instant.parse("2026-11-23T12:00:00Z");
  private HttpsServer upstream;
  private MirrorServer mirror;

  @BeforeEach
  void start() throws IOException {
    upstream = HttpsServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    IssuedIdentity manager = fleet.issue(Role.MANAGER, "m1");
    upstream.setHttpsConfigurator(
        new HttpsConfigurator(
            FleetTls.httpClient(() -> Optional.of(manager), fleet.verifier(), peer -> true)));
    upstream.setExecutor(upstreamThreads);
    upstream.createContext("/", this::answer);
    upstream.start();
    mirror = mirror(100_000_000);
  }

  @AfterEach
  void stop() throws Exception {
    stall.countDown();
    for (AutoCloseable resource : opened) {
      resource.close();
    }
    upstream.stop(0);
    upstreamThreads.shutdownNow();
    client.shutdownNow();
  }

  private MirrorServer mirror(long limit) throws IOException {
    return mirror(limit, 0);
  }

  private MirrorServer mirror(long limit, int tlsPort) throws IOException {
    var site =
        new ManagerSite(
            List.of(new ServerAddress("127.0.0.1", upstream.getAddress().getPort())),
            FleetTls.httpClient(
                () -> Optional.of(proxy), fleet.verifier(), peer -> peer.role() == Role.MANAGER));
    ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    var packages = new PackageCache(directory.resolve("packages"), limit, site, threads, () -> now);
    var updates =
        new UpdateMirror(
            directory,
            limit,
            site,
            threads,
            () -> now,
            later::get,
            nanos -> {
              // No pauses between tries; what is silent is so when the test says it.
              if (nanos >= SILENCE) {
                silent.acquire();
              }
            },
            new SecureRandom());
    var started =
        new MirrorServer(
            site,
            packages,
            updates,
            threads,
            List.of(new InetSocketAddress("127.0.0.1", 0)),
            List.of(new InetSocketAddress("127.0.0.1", tlsPort)),
            new HttpsConfigurator(
                FleetTls.httpClient(() -> Optional.of(proxy), fleet.verifier(), peer -> true)));
    started.start();
    opened.add(started);
    opened.add(site);
    return started;
  }

  private void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getRawPath();
    String method = exchange.getRequestMethod();
    byte[] content = tree.get(path);
    String given = exchange.getRequestHeaders().getFirst("Authorization");
    if (!password.isEmpty() && !password.equals(given)) {
      exchange.getResponseHeaders().set("WWW-Authenticate", "Basic realm=\"updates\"");
      exchange.sendResponseHeaders(401, -1);
    } else if (content == null) {
      exchange.sendResponseHeaders(404, -1);
    } else if (method.equals("HEAD")) {
      exchange.getResponseHeaders().set("Content-Length", Integer.toString(content.length));
      exchange.sendResponseHeaders(200, -1);
    } else {
      send(exchange, path, content);
    }
    exchange.close();
  }

  private void send(HttpExchange exchange, String path, byte[] content) throws IOException {
    gets.add(path);
    String range = exchange.getRequestHeaders().getFirst("Range");
    int from = 0;
    if (range != null) {
      ranges.add(range);
      from = Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
      exchange
          .getResponseHeaders()
          .set(
              "Content-Range",
              "bytes %d-%d/%d".formatted(from, content.length - 1, content.length));
    }
    int most = breakAfter.getAndSet(0);
    int to = most == 0 ? content.length : Math.min(content.length, from + most);
    exchange.sendResponseHeaders(range == null ? 200 : 206, content.length - from);
    exchange.getResponseBody().write(content, from, to - from);
    exchange.getResponseBody().flush();
    if (to < content.length) {
      try {
        stall.await();
      } catch (InterruptedException _) {
        Thread.currentThread().interrupt();
      }
      throw new IOException("broken off");
    }
  }

  private String publish(byte[] content) {
    String path = "/updates/" + RepositoryPaths.file(sha256(content));
    tree.put(path, content);
    return path;
  }

  private static String sha256(byte[] content) {
    return HexFormat.of().formatHex(Fingerprints.sha256(content));
  }

  private HttpResponse<byte[]> get(String path, String... headers) {
    return get(mirror, path, headers);
  }

  /** Empty when the answer broke off. */
  private Optional<byte[]> tryGet(String path) {
    try {
      return Optional.of(get(path).body());
    } catch (UncheckedIOException _) {
      return Optional.empty();
    }
  }

  private HttpResponse<byte[]> get(MirrorServer server, String path, String... headers) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.ports().getFirst() + path));
    if (headers.length > 0) {
      request.headers(headers);
    }
    try {
      return client.send(request.build(), BodyHandlers.ofByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(path, e);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private long count(String path) {
    return gets.stream().filter(path::equals).count();
  }

  /** The answer has ended before its copy has its name. */
  private void awaitCopy(byte[] content) {
    Path copy = directory.resolve("copies").resolve(sha256(content));
    Await.until("the copy", BOUND, () -> Files.exists(copy));
  }

  @Test
  @Requirement({"U1", "U4"})
  void content_askedForByManyAtOnce_isFetchedOnce() {
    String path = publish(LARGE);
    List<CompletableFuture<byte[]>> readers = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      readers.add(CompletableFuture.supplyAsync(() -> get(path).body(), upstreamThreads));
    }

    for (CompletableFuture<byte[]> reader : readers) {
      assertThat(Arrays.equals(reader.join(), LARGE)).isTrue();
    }
    HttpResponse<byte[]> again = get(path);
    assertThat(Arrays.equals(again.body(), LARGE)).isTrue();
    assertThat(again.headers().firstValue("Content-Type")).contains("application/octet-stream");
    assertThat(again.headers().firstValue("ETag")).contains('"' + sha256(LARGE) + '"');
    assertThat(count(path)).isEqualTo(1);
  }

  @Test
  void content_partsAndConditions_areAnswered() {
    String path = publish(LARGE);
    String etag = '"' + sha256(LARGE) + '"';

    HttpResponse<byte[]> part = get(path, "Range", "bytes=10-19", "If-Range", etag);
    HttpResponse<byte[]> other = get(path, "Range", "bytes=10-19", "If-Range", "\"other\"");

    assertThat(part.statusCode()).isEqualTo(206);
    assertThat(part.body()).isEqualTo(Arrays.copyOfRange(LARGE, 10, 20));
    assertThat(other.statusCode()).isEqualTo(200);
    assertThat(other.body()).hasSize(LARGE.length);
    assertThat(get(path, "If-None-Match", etag).statusCode()).isEqualTo(304);
    assertThat(get(path, "If-Match", "\"other\"").statusCode()).isEqualTo(412);
    assertThat(get(path, "Range", "bytes=9000000-").statusCode()).isEqualTo(416);
  }

  @Test
  void content_connectionBreaksOnTheWay_isGoneOnWith() {
    String path = publish(LARGE);
    breakAfter.set(1_234_567);

    assertThat(Arrays.equals(get(path).body(), LARGE)).isTrue();

    assertThat(count(path)).isEqualTo(2);
    assertThat(ranges).hasSize(1);
  }

  @Test
  void content_managerGoesSilent_isAskedForAgain() {
    String path = publish(LARGE);
    stall = new CountDownLatch(1);
    breakAfter.set(1_234_567);
    CompletableFuture<byte[]> reader =
        CompletableFuture.supplyAsync(() -> get(path).body(), upstreamThreads);

    Await.until(
        "the next try",
        BOUND,
        () -> {
          if (count(path) == 1) {
            silent.release();
          }
          return count(path) > 1;
        });
    silent.drainPermits();

    assertThat(Arrays.equals(reader.join(), LARGE)).isTrue();
  }

  @Test
  void content_proxyEndsInTheMiddle_theNextOneGoesOn() throws Exception {
    String path = publish(LARGE);
    Path part = directory.resolve("copies").resolve(sha256(LARGE) + ".part");
    Files.write(part, Arrays.copyOf(LARGE, 1_500_000));

    assertThat(Arrays.equals(get(path).body(), LARGE)).isTrue();

    assertThat(ranges).containsExactly("bytes=1500000-");
    awaitCopy(LARGE);
    assertThat(part).doesNotExist();
  }

  @Test
  @Requirement("U5")
  void content_thatIsNotWhatItsNameSays_isNotKept() throws Exception {
    String path = publish(LARGE);
    byte[] tampered = LARGE.clone();
    tampered[5] ^= 1;
    tree.put(path, tampered);
    Optional<byte[]> _ = tryGet(path);
    Await.until("nothing to be kept", BOUND, () -> copies().isEmpty());
    tree.put(path, LARGE);
    later.addAndGet(TimeUnit.SECONDS.toNanos(3));

    Await.until(
        "the right one",
        BOUND,
        () -> tryGet(path).filter(content -> Arrays.equals(content, LARGE)).isPresent());

    awaitCopy(LARGE);
  }

  @Test
  @Requirement("U5")
  void content_copyDamagedOnTheDisk_isFetchedAgain() throws Exception {
    String path = publish(LARGE);
    byte[] damaged = LARGE.clone();
    damaged[1_000_000] ^= 1;
    Files.write(directory.resolve("copies").resolve(sha256(LARGE)), damaged);

    assertThat(Arrays.equals(get(path).body(), LARGE)).isTrue();
    assertThat(count(path)).isEqualTo(1);
  }

  @Test
  void content_empty_isServed() {
    String path = publish(new byte[0]);

    assertThat(get(path).statusCode()).isEqualTo(200);
    assertThat(get(path).body()).isEmpty();
  }

  @Test
  void content_managerAway_isServedFromTheCopy_afterARestartToo() throws Exception {
    String path = publish(LARGE);
    tree.put(TIMESTAMP, "1".getBytes(StandardCharsets.UTF_8));
    assertThat(get(TIMESTAMP).statusCode()).isEqualTo(200);
    get(path);
    awaitCopy(LARGE);
    upstream.stop(0);
    later.addAndGet(TimeUnit.MINUTES.toNanos(2));
    MirrorServer next = mirror(100_000_000);

    for (MirrorServer server : List.of(mirror, next)) {
      assertThat(Arrays.equals(get(server, path).body(), LARGE)).isTrue();
      assertThat(get(server, TIMESTAMP).body()).asString().isEqualTo("1");
      // Whether there is another root: none that is known here.
      assertThat(get(server, "/updates/metadata/2.root.json").statusCode()).isEqualTo(404);
      assertThat(get(server, "/updates/metadata/2.snapshot.json").statusCode()).isEqualTo(502);
      assertThat(get(server, "/updates/" + RepositoryPaths.file("0".repeat(64))).statusCode())
          .isEqualTo(502);
      assertThat(get(server, path, "Authorization", PASSWORD).statusCode()).isEqualTo(502);
    }
  }

  @Test
  void metadata_askedForByManyAtOnce_isFetchedOnceInTwoSeconds() {
    tree.put(TIMESTAMP, "1".getBytes(StandardCharsets.UTF_8));
    HttpResponse<byte[]> first = get(TIMESTAMP);
    String etag = first.headers().firstValue("ETag").orElseThrow();

    assertThat(get(TIMESTAMP, "If-None-Match", etag).statusCode()).isEqualTo(304);
    assertThat(count(TIMESTAMP)).isEqualTo(1);
    tree.put(TIMESTAMP, "2".getBytes(StandardCharsets.UTF_8));
    later.addAndGet(TimeUnit.SECONDS.toNanos(3));
    HttpResponse<byte[]> second = get(TIMESTAMP, "If-None-Match", etag);

    assertThat(second.body()).asString().isEqualTo("2");
    assertThat(get("/updates/metadata/9.root.json").statusCode()).isEqualTo(404);
  }

  @Test
  void password_askedFor_copiesAreForThoseWhoHaveIt() {
    password = PASSWORD;
    String path = publish(LARGE);
    HttpResponse<byte[]> without = get(path);
    assertThat(without.statusCode()).isEqualTo(401);
    assertThat(without.headers().firstValue("WWW-Authenticate")).isPresent();

    assertThat(Arrays.equals(get(path, "Authorization", PASSWORD).body(), LARGE)).isTrue();
    awaitCopy(LARGE);

    assertThat(get(path).statusCode()).isEqualTo(401);
    assertThat(get(path, "Authorization", "Basic eDp6").statusCode()).isEqualTo(401);
    password = "Basic bmV3";
    later.addAndGet(TimeUnit.SECONDS.toNanos(61));
    assertThat(get(path, "Authorization", PASSWORD).statusCode()).isEqualTo(401);
    assertThat(get(path, "Authorization", "Basic bmV3").statusCode()).isEqualTo(200);
    assertThat(count(path)).isEqualTo(1);
  }

  @Test
  void disk_isBounded_whatWasNotAskedForLongestGoes() throws Exception {
    mirror = mirror(4_500_000);
    List<byte[]> contents = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      byte[] content = LARGE.clone();
      content[0] = (byte) i;
      contents.add(content);
    }
    for (byte[] content : contents) {
      now = now.plusSeconds(1);
      String path = publish(content);
      assertThat(Arrays.equals(get(path).body(), content)).isTrue();
      awaitCopy(content);
      now = now.plusSeconds(1);
      if (content != contents.getFirst()) {
        get(publish(contents.getFirst()));
      }
    }

    assertThat(copies())
        .containsExactlyInAnyOrder(sha256(contents.get(0)), sha256(contents.get(3)));
    byte[] tooLarge = new byte[5_000_000];
    assertThat(get(publish(tooLarge)).body()).hasSize(tooLarge.length);
    assertThat(copies()).hasSize(2);
  }

  @Test
  @Requirement("U2")
  void https_ofTheProxy_isTrustedByHosts() throws Exception {
    String path = publish(LARGE);
    var source =
        new HttpSource(
            "https://127.0.0.1:" + mirror.ports().get(1) + "/updates/",
            "",
            "",
            FleetTls.anyServer(fleet.verifier()).getSocketFactory(),
            System::nanoTime,
            TimeUnit.NANOSECONDS::sleep);
    Path target = directory.resolve("fetched");

    try (PartialFile file = PartialFile.open(target, LARGE.length, sha256(LARGE))) {
      source.copy(path.substring("/updates/".length()), file, new TransferPace(0, 0, BOUND));
      file.complete();
    }

    assertThat(target).hasBinaryContent(LARGE);
  }

  @Test
  void https_portOfAnotherProgram_theRestWorks() throws Exception {
    tree.put(TIMESTAMP, "1".getBytes(StandardCharsets.UTF_8));

    try (var other = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      mirror = mirror(100_000_000, other.getLocalPort());
    }

    assertThat(mirror.ports()).hasSize(1);
    assertThat(get(TIMESTAMP).statusCode()).isEqualTo(200);
  }

  private List<String> copies() {
    try (Stream<Path> files = Files.list(directory.resolve("copies"))) {
      return files.map(file -> file.getFileName().toString()).toList();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
