package dev.towline.manager.rest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.testing.ManagerFixture;
import dev.towline.manager.updates.Serving;
import dev.towline.manager.updates.SourceChecks;
import dev.towline.manager.updates.UpdateRepository;
import dev.towline.manager.updates.UpdateServing;
import dev.towline.proto.v1.SourceCheck;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.updates.HttpSource;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.RepositoryClient;
import dev.towline.runtime.updates.RepositoryPaths;
import dev.towline.runtime.updates.TrustedState;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The published tree as a whole manager serves it. */
@Requirement({"U1", "U2", "U6"})
class UpdateTreeTest {
  private static final long HUGE = 5L << 30;
  private static final Map<String, String> FILES =
      new TreeMap<>(
          Map.of(
              "noext", "no extension",
              "what.ever", "unknown extension",
              "a+b", "plus",
              "a%2Bb", "percent 2B",
              "100%25", "percent 25",
              "with space", "space",
              "größe/日本", "unicode",
              ".hidden", "dot",
              "bin/tool.html", "<b>no page</b>",
              "empty", ""));

  @TempDir private static Path directory;
  private static ManagerFixture fixture;
  private static HttpClient http;
  private static String base;

  @BeforeAll
  static void start() throws IOException {
    fixture = new ManagerFixture(directory);
    http = HttpClient.newHttpClient();
    base = "http://127.0.0.1:" + fixture.services().config().updatesPort();
    List<Manifest.Entry> entries = new ArrayList<>();
    FILES.forEach((path, text) -> {
      byte[] content = text.getBytes(StandardCharsets.UTF_8);
      var entry =
          new Manifest.Entry(
              path, content.length, HexFormat.of().formatHex(Fingerprints.sha256(content)), false);
      entries.add(entry);
      repository().upload(entry, 0, ByteBuffer.wrap(content));
    });
    repository().publish(new Manifest("any", "1.0", entries), true, 3);
    try (var huge = new RandomAccessFile(tree().resolve("content/huge").toFile(), "rw")) {
      huge.setLength(HUGE);
    }
  }

  @AfterAll
  static void stop() throws Exception {
    http.close();
    fixture.close();
  }

  @AfterEach
  void reset() {
    serving()
        .change(now ->
            now.withPath("/updates/").withListing(false).withUser("", "", new SecureRandom()));
  }

  private static UpdateRepository repository() {
    return fixture.services().updates().repository();
  }

  private static UpdateServing serving() {
    return fixture.services().updates().serving();
  }

  private static Path tree() {
    return repository().publicTree();
  }

  private static HttpResponse<String> ask(String method, String path, String... headers)
      throws Exception {
    var request =
        HttpRequest.newBuilder(URI.create(base + path))
            .method(method, HttpRequest.BodyPublishers.noBody());
    if (headers.length > 0) {
      request.headers(headers);
    }
    return http.send(request.build(), BodyHandlers.ofString());
  }

  private static HttpResponse<String> get(String path, String... headers) throws Exception {
    return ask("GET", path, headers);
  }

  private static String header(HttpResponse<?> response, String name) {
    return response.headers().firstValue(name).orElse("");
  }

  @ParameterizedTest
  @CsvSource({
    "noext,noext",
    "what.ever,what.ever",
    "a+b,a+b",
    "a+b,a%2Bb",
    "a%2Bb,a%252Bb",
    "100%25,100%2525",
    "with space,with%20space",
    "größe/日本,gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC",
    ".hidden,.hidden",
    "bin/tool.html,bin/tool.html",
    "empty,empty"
  })
  void get_anyName_isServedWholeAsBytes(String name, String path) throws Exception {
    HttpResponse<String> response = get("/updates/content/any/1.0/" + path);

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.body()).isEqualTo(FILES.get(name));
    assertThat(header(response, "Content-Type")).isEqualTo("application/octet-stream");
    assertThat(header(response, "Content-Length"))
        .isEqualTo(Integer.toString(response.body().getBytes(StandardCharsets.UTF_8).length));
    assertThat(header(response, "X-Content-Type-Options")).isEqualTo("nosniff");
    HttpResponse<String> head = ask("HEAD", "/updates/content/any/1.0/" + path);
    assertThat(head.statusCode()).isEqualTo(200);
    assertThat(head.body()).isEmpty();
    assertThat(header(head, "Content-Length")).isEqualTo(header(response, "Content-Length"));
  }

  @Test
  void get_partsAndConditions_areAnswered() throws Exception {
    String path = "/updates/content/any/1.0/noext";
    HttpResponse<String> whole = get(path);
    String tag = header(whole, "ETag");
    assertThat(tag).startsWith("\"");
    assertThat(header(whole, "Accept-Ranges")).isEqualTo("bytes");

    HttpResponse<String> part = get(path, "Range", "bytes=3-5");
    assertThat(part.statusCode()).isEqualTo(206);
    assertThat(part.body()).isEqualTo("ext");
    assertThat(header(part, "Content-Range")).isEqualTo("bytes 3-5/12");
    assertThat(get(path, "Range", "bytes=99-").statusCode()).isEqualTo(416);
    assertThat(get(path, "Range", "bytes=3-5", "If-Range", tag).statusCode()).isEqualTo(206);
    HttpResponse<String> another = get(path, "Range", "bytes=3-5", "If-Range", "\"another\"");
    assertThat(another.statusCode()).isEqualTo(200);
    assertThat(another.body()).isEqualTo("no extension");
    assertThat(get(path, "If-None-Match", tag).statusCode()).isEqualTo(304);
    assertThat(get(path, "If-Match", "\"another\"").statusCode()).isEqualTo(412);
    assertThat(get(path, "If-Modified-Since", header(whole, "Last-Modified")).statusCode())
        .isEqualTo(304);
  }

  @Test
  void get_moreThanFourGigabytes_isServed() throws Exception {
    HttpResponse<String> head = ask("HEAD", "/updates/content/huge");
    assertThat(header(head, "Content-Length")).isEqualTo(Long.toString(HUGE));
    assertThat(header(head, "Accept-Ranges")).isEqualTo("bytes");
    assertThat(header(head, "Content-Type")).isEqualTo("application/octet-stream");
    HttpResponse<String> end = get("/updates/content/huge", "Range", "bytes=" + (HUGE - 10) + "-");
    assertThat(end.statusCode()).isEqualTo(206);
    assertThat(end.body()).isEqualTo("\0".repeat(10));
  }

  @Test
  void get_cacheControl_fitsWhatChanges() throws Exception {
    assertThat(header(get("/updates/metadata/timestamp.json"), "Cache-Control"))
        .isEqualTo("no-cache");
    HttpResponse<String> root = get("/updates/metadata/1.root.json");
    assertThat(header(root, "Cache-Control")).contains("immutable");
    assertThat(
            HexFormat.of()
                .formatHex(Fingerprints.sha256(root.body().getBytes(StandardCharsets.UTF_8))))
        .isEqualTo(repository().rootPin());
    assertThat(header(get("/updates/metadata/2.root.json"), "Cache-Control")).isEqualTo("no-store");
  }

  /** As they are on the wire: a client library would put them right. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "/updates/../repository.json",
        "/updates/../../manager.db",
        "/updates/%2e%2e/repository.json",
        "/updates/..%2frepository.json",
        "/updates/..%2Frepository.json",
        "/updates/%2e%2e%2frepository.json",
        "/updates/..%252frepository.json",
        "/updates/content/..%5c..%5crepository.json",
        "/updates//etc/passwd",
        "/updates/%00",
        "/updates/metadata/timestamp.json%00.txt",
        "/updates/..;/repository.json",
        "/updates/.",
        "/updates/content",
        "/updates/content/",
        "/updates/",
        "/updates",
        "/repository.json",
        "/keys/",
        "/"
      })
  void get_whatIsNoFileOfTheTree_isRefused(String path) throws Exception {
    String answer = raw("GET " + path + " HTTP/1.1");

    assertThat(answer).matches("(?s)HTTP/1\\.1 4\\d\\d.*");
    assertThat(answer)
        .doesNotContain("published")
        .doesNotContain("root:")
        .doesNotContain("PRIVATE");
  }

  private static String raw(String requestLine) throws IOException {
    try (var socket = new Socket("127.0.0.1", fixture.services().config().updatesPort())) {
      socket
          .getOutputStream()
          .write(
              (requestLine + "\r\nHost: x\r\nConnection: close\r\n\r\n")
                  .getBytes(StandardCharsets.US_ASCII));
      InputStream in = socket.getInputStream();
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  @Test
  void post_anything_isRefused() throws Exception {
    assertThat(ask("POST", "/updates/metadata/timestamp.json").statusCode()).isEqualTo(405);
    assertThat(ask("DELETE", "/updates/metadata/timestamp.json").statusCode()).isEqualTo(405);
  }

  @Test
  void listing_switchedOn_showsFoldersAndNothingAbove() throws Exception {
    serving().change(now -> now.withListing(true));

    HttpResponse<String> page = get("/updates/content/any/1.0/");

    assertThat(page.statusCode()).isEqualTo(200);
    assertThat(page.body())
        .contains("href=\"./gr%C3%B6%C3%9Fe/\"", "href=\"./100%2525\"", ">a%2Bb<")
        .doesNotContain("..");
    assertThat(get("/updates/content/any/1.0").statusCode()).isEqualTo(302);
    assertThat(get("/updates/content/any/1.0/bin/").body()).contains("tool.html");
  }

  @Test
  void path_chosenFreely_isTheOnlyOne() throws Exception {
    serving().change(now -> now.withPath("/sophos/update"));

    assertThat(get("/sophos/update/content/any/1.0/noext").statusCode()).isEqualTo(200);
    assertThat(get("/updates/content/any/1.0/noext").statusCode()).isEqualTo(404);
    assertThatThrownBy(() -> Serving.STANDARD.withPath("/install/x"))
        .isInstanceOf(TowlineException.class);
    assertThatThrownBy(() -> Serving.STANDARD.withPath("/a/../b"))
        .isInstanceOf(TowlineException.class);
    assertThatThrownBy(() -> Serving.STANDARD.withPath("/")).isInstanceOf(TowlineException.class);
  }

  @Test
  void credentials_asked_areNeededForEverything() throws Exception {
    serving().change(now -> now.withUser("hosts", "geheim€", new SecureRandom()));
    String path = "/updates/metadata/timestamp.json";

    HttpResponse<String> refused = get(path);

    assertThat(refused.statusCode()).isEqualTo(401);
    assertThat(header(refused, "WWW-Authenticate")).contains("Basic");
    assertThat(get("/updates/no/such/file").statusCode()).isEqualTo(401);
    assertThat(get(path, "Authorization", basic("hosts:geheim€")).statusCode()).isEqualTo(200);
    for (String wrong : List.of("hosts:geheim", "Hosts:geheim€", "hosts:", ":geheim€", "x")) {
      assertThat(get(path, "Authorization", basic(wrong)).statusCode()).as(wrong).isEqualTo(401);
    }
    assertThat(get(path, "Authorization", "Basic %%%").statusCode()).isEqualTo(401);
    fixture.services().updates().serving().refresh();
    assertThat(get(path).statusCode()).isEqualTo(401);
  }

  private static String basic(String text) {
    return "Basic " + Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  @Requirement("U5")
  void repository_overPlainHttp_isTrustedAndItsFilesCome() throws Exception {
    var source =
        new HttpSource(
            base + "/updates", "", "", null, System::nanoTime, TimeUnit.NANOSECONDS::sleep);
    expectWhole(source);
  }

  @Test
  @Requirement("U5")
  void repository_overHttpsOfTheFleet_isTrustedAndItsFilesCome() throws Exception {
    var tls =
        FleetTls.anyServer(fixture.services().sessions().services().verifier()).getSocketFactory();
    var source =
        new HttpSource(
            "https://127.0.0.1:" + fixture.services().config().publicPort() + "/updates/",
            "",
            "",
            tls,
            System::nanoTime,
            TimeUnit.NANOSECONDS::sleep);
    expectWhole(source);
  }

  private static void expectWhole(HttpSource source) throws Exception {
    var publication =
        new RepositoryClient(TrustedState.inMemory(), repository().rootPin())
            .refresh(source, fixture.clock().instant());
    var manifest =
        RepositoryClient.manifest(source, publication.targets().current("any").orElseThrow());
    for (Manifest.Entry entry : manifest.entries()) {
      assertThat(source.fetch(RepositoryPaths.file(entry.sha256()), entry.size()))
          .map(content -> new String(content, StandardCharsets.UTF_8))
          .contains(FILES.get(entry.path()));
    }
  }

  @Test
  @Requirement("U3")
  void check_sourceOfThisManager_passes() {
    SourceChecks checks = fixture.services().updates().checks();

    assertThat(checks.check(base + "/updates/", "", "")).allMatch(SourceCheck::getPassed);

    serving().change(now -> now.withUser("hosts", "secret", new SecureRandom()));
    assertThat(checks.check(base + "/updates/", "hosts", "secret"))
        .allMatch(SourceCheck::getPassed)
        .anyMatch(check -> check.getDetail().contains("accepted"));
    assertThat(checks.check(base + "/updates/", "hosts", "wrong"))
        .anyMatch(check -> check.getDetail().contains("refuses user and password"));
    assertThat(checks.check(base + "/nothing/", "", ""))
        .anyMatch(check -> !check.getPassed() && check.getDetail().contains("not there"));
  }

  @Test
  void tree_listed_isWholeInItsOrder() throws Exception {
    List<UpdateRepository.TreeFile> files = repository().tree();

    assertThat(files.getLast().path()).isEqualTo("metadata/timestamp.json");
    assertThat(files)
        .filteredOn(file -> file.path().equals("content/any/1.0/a%2Bb"))
        .singleElement()
        .satisfies(file -> assertThat(Files.exists(tree().resolve(file.sameAs()))).isTrue());
    List<String> paths = files.stream().map(UpdateRepository.TreeFile::path).toList();
    assertThat(files)
        .filteredOn(file -> !file.sameAs().isEmpty())
        .isNotEmpty()
        .allMatch(file -> paths.indexOf(file.sameAs()) < paths.indexOf(file.path()));
    assertThat(repository().read("metadata/1.root.json", 0))
        .isEqualTo(Files.readAllBytes(tree().resolve("metadata/1.root.json")));
    assertThatThrownBy(() -> repository().read("../repository.json", 0))
        .isInstanceOf(TowlineException.class);
  }
}
