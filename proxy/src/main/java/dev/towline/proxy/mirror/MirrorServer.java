package dev.towline.proxy.mirror;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.concurrent.ExecutorService;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The HTTP and HTTPS ports of a proxy. Packages and updates come from the copies on disk;
 * everything else is passed on to the manager, which has install scripts there and nothing that is
 * not for everybody (U1).
 *
 * <p>The JDK's own server, with a virtual thread per request: this is used when a host is installed
 * or upgraded, so no library of its own is worth its megabytes in a program of which hundreds run.
 *
 * <p>Lifecycle: listens from {@link #start} on until {@link #close}. Failure: what can't be had
 * from the manager is a 502 with one line of reason.
 */
public final class MirrorServer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(MirrorServer.class);
  private static final String AUTHORIZATION = ManagerSite.AUTHORIZATION;
  private static final Pattern INSTALL =
      Pattern.compile("/install/[A-Za-z0-9_~-][A-Za-z0-9._~/-]{0,255}");
  private static final Pattern PACKAGE =
      Pattern.compile("/packages/([A-Za-z0-9_][A-Za-z0-9._+-]{0,199})");
  private static final Pattern REST = Pattern.compile("/[!-~]{1,4000}");
  private static final List<String> ASKED_HEADERS =
      List.of("Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", AUTHORIZATION);
  private static final List<String> PASSED_HEADERS =
      List.of(
          "Content-Type",
          "ETag",
          "Last-Modified",
          "Cache-Control",
          "Content-Range",
          "Accept-Ranges",
          "Location",
          "WWW-Authenticate",
          "X-Content-Type-Options");
  private static final String FOR_EVER = "public, max-age=31536000, immutable";
  private static final int BACKLOG = 1_024;
  private static final int NOT_MODIFIED = 304;

  private final ManagerSite site;
  private final PackageCache cache;
  private final UpdateMirror updates;
  private final ExecutorService threads;
  private final List<HttpServer> servers = new ArrayList<>();

  /**
   * @param threads a virtual thread per task
   */
  public MirrorServer(
      ManagerSite site,
      PackageCache cache,
      UpdateMirror updates,
      ExecutorService threads,
      List<InetSocketAddress> listen,
      List<InetSocketAddress> listenTls,
      HttpsConfigurator tls)
      throws IOException {
    this.site = site;
    this.cache = cache;
    this.updates = updates;
    this.threads = threads;
    try {
      for (InetSocketAddress address : listen) {
        add(HttpServer.create(address, BACKLOG));
      }
      for (InetSocketAddress address : listenTls) {
        addTls(address, tls);
      }
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  private void add(HttpServer server) {
    server.setExecutor(threads);
    server.createContext("/", this::answer);
    servers.add(server);
  }

  /**
   * HTTPS is one of two ways to the same files: another program on its port is no reason to stop.
   */
  private void addTls(InetSocketAddress address, HttpsConfigurator tls) throws IOException {
    try {
      HttpsServer server = HttpsServer.create(address, BACKLOG);
      server.setHttpsConfigurator(tls);
      add(server);
    } catch (BindException e) {
      log.warn(
          "no updates over HTTPS on {}: {}; name another port in https-ports",
          address,
          e.getMessage());
    }
  }

  public void start() {
    servers.forEach(HttpServer::start);
  }

  /** The ports in the order they were given. */
  public List<Integer> ports() {
    return servers.stream().map(server -> server.getAddress().getPort()).toList();
  }

  @Override
  public void close() {
    servers.forEach(server -> server.stop(0));
    threads.shutdownNow();
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String method = exchange.getRequestMethod();
      String path = exchange.getRequestURI().getRawPath();
      if (!method.equals("GET") && !method.equals("HEAD")) {
        exchange.getResponseHeaders().set("Allow", "GET, HEAD");
        say(exchange, 405, "only GET and HEAD are answered here");
        return;
      }
      var name = PACKAGE.matcher(path);
      if (name.matches()) {
        servePackage(exchange, name.group(1));
      } else if ((INSTALL.matcher(path).matches() && !path.contains(".."))
          || (REST.matcher(path).matches()
              && !path.startsWith("/install/")
              && !path.startsWith("/packages/")
              && !path.contains("/../")
              && !path.endsWith("/.."))) {
        serve(exchange, TreePath.parse(path));
      } else {
        say(exchange, 404, "not found; this proxy serves /install/, /packages/ and updates");
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    } catch (IOException e) {
      // Mostly a client that left. The path of an install command is no secret, its body is none.
      log.debug("{} broke off: {}", exchange.getRequestURI().getPath(), e.toString());
      throw e;
    }
  }

  private void serve(HttpExchange exchange, TreePath path)
      throws IOException, InterruptedException {
    String target = exchange.getRequestURI().getRawPath();
    String authorization =
        Objects.requireNonNullElse(exchange.getRequestHeaders().getFirst(AUTHORIZATION), "");
    switch (path) {
      case TreePath.Content content when exchange.getRequestMethod().equals("GET") ->
          answer(
              exchange,
              updates.content(content, target, authorization),
              '"' + content.sha256() + '"');
      case TreePath.Metadata metadata ->
          answer(exchange, updates.metadata(metadata, target, authorization), "");
      case TreePath.Content _, TreePath.Other _ -> passOn(exchange);
    }
  }

  private void answer(HttpExchange exchange, UpdateMirror.Found found, String etag)
      throws IOException, InterruptedException {
    set(exchange, "X-Content-Type-Options", "nosniff");
    switch (found) {
      case UpdateMirror.Found.Copy(Download copy) -> {
        set(exchange, "Cache-Control", FOR_EVER);
        if (!isDecided(exchange, etag)) {
          send(exchange, copy, wantedRange(exchange, etag));
        }
      }
      case UpdateMirror.Found.Text(byte[] text) -> {
        set(exchange, "Cache-Control", "no-cache");
        String own = '"' + HexFormat.of().formatHex(Fingerprints.sha256(text)) + '"';
        if (!isDecided(exchange, own)) {
          set(exchange, "Content-Type", "application/octet-stream");
          write(exchange, 200, text);
        }
      }
      case UpdateMirror.Found.Status(int code, String challenge) -> {
        if (!challenge.isEmpty()) {
          set(exchange, "WWW-Authenticate", challenge);
        }
        say(exchange, code, "the manager answered " + code);
      }
      case UpdateMirror.Found.NotKept _ -> passOn(exchange);
      case UpdateMirror.Found.Unreachable(String reason) -> {
        log.warn("{} can't be had: {}", exchange.getRequestURI().getPath(), reason);
        say(exchange, 502, "the proxy can't reach a manager and has no copy, try again");
      }
    }
  }

  /** Whether the conditions of the request ask for no more than a status. */
  private static boolean isDecided(HttpExchange exchange, String etag) throws IOException {
    set(exchange, "ETag", etag);
    String match = exchange.getRequestHeaders().getFirst("If-Match");
    String noneMatch = exchange.getRequestHeaders().getFirst("If-None-Match");
    if (match != null && !isAmong(match, etag)) {
      exchange.sendResponseHeaders(412, -1);
      return true;
    }
    if (noneMatch != null && isAmong(noneMatch, etag)) {
      exchange.sendResponseHeaders(NOT_MODIFIED, -1);
      return true;
    }
    return false;
  }

  private static boolean isAmong(String tags, String etag) {
    return Stream.of(tags.split(","))
        .map(String::strip)
        .anyMatch(tag -> tag.equals("*") || tag.equals(etag) || tag.equals("W/" + etag));
  }

  /** A part of another file than the one that there is now is no part. */
  private static @Nullable String wantedRange(HttpExchange exchange, String etag) {
    String ifRange = exchange.getRequestHeaders().getFirst("If-Range");
    return ifRange == null || ifRange.equals(etag)
        ? exchange.getRequestHeaders().getFirst("Range")
        : null;
  }

  private void passOn(HttpExchange exchange) throws IOException, InterruptedException {
    String query = exchange.getRequestURI().getRawQuery();
    String target = exchange.getRequestURI().getRawPath() + (query == null ? "" : "?" + query);
    Map<String, String> headers = new HashMap<>();
    for (String header : ASKED_HEADERS) {
      headers.putAll(passedOf(exchange, header));
    }
    HttpResponse<InputStream> response;
    try {
      response = site.ask(exchange.getRequestMethod(), target, headers);
    } catch (IOException | IllegalArgumentException e) {
      log.warn("no manager answers for {}: {}", exchange.getRequestURI().getPath(), e.toString());
      say(exchange, 502, "the proxy can't reach a manager, try again");
      return;
    }
    for (String header : PASSED_HEADERS) {
      response.headers().firstValue(header).ifPresent(v -> set(exchange, header, v));
    }
    OptionalLong length = response.headers().firstValueAsLong("Content-Length");
    try (InputStream body = response.body()) {
      boolean bare =
          exchange.getRequestMethod().equals("HEAD")
              || length.orElse(-1) == 0
              || response.statusCode() == NOT_MODIFIED;
      if (bare) {
        length.ifPresent(n -> set(exchange, "Content-Length", Long.toString(n)));
      }
      exchange.sendResponseHeaders(
          response.statusCode(), bare ? -1 : length.isPresent() ? length.getAsLong() : 0);
      if (!bare) {
        body.transferTo(exchange.getResponseBody());
      }
    }
  }

  private static Map<String, String> passedOf(HttpExchange exchange, String header) {
    String value = exchange.getRequestHeaders().getFirst(header);
    return value == null ? Map.of() : Map.of(header, value);
  }

  private void servePackage(HttpExchange exchange, String name)
      throws IOException, InterruptedException {
    switch (cache.find(name)) {
      case PackageCache.Found.Status(int code) ->
          say(exchange, code, "the manager answered " + code + " for package " + name);
      case PackageCache.Found.Unreachable(String reason) -> {
        log.warn("package {} can't be had: {}", name, reason);
        say(exchange, 502, "the proxy can't reach a manager and has no copy, try again");
      }
      case PackageCache.Found.Copy(Download copy) ->
          send(exchange, copy, exchange.getRequestHeaders().getFirst("Range"));
    }
  }

  private static void send(HttpExchange exchange, Download copy, @Nullable String rangeHeader)
      throws IOException, InterruptedException {
    set(exchange, "Accept-Ranges", "bytes");
    set(exchange, "Content-Type", "application/octet-stream");
    switch (ByteRange.parse(rangeHeader, copy.size())) {
      case ByteRange.Wish.Unsatisfiable _ -> {
        set(exchange, "Content-Range", "bytes */" + copy.size());
        say(exchange, 416, "the file has " + copy.size() + " bytes");
      }
      case ByteRange.Wish.Whole _ -> send(exchange, copy, 200, new ByteRange(0, copy.size() - 1));
      case ByteRange.Wish.Part(ByteRange range) -> {
        set(
            exchange,
            "Content-Range",
            "bytes %d-%d/%d".formatted(range.first(), range.last(), copy.size()));
        send(exchange, copy, 206, range);
      }
    }
  }

  private static void send(HttpExchange exchange, Download copy, int code, ByteRange range)
      throws IOException, InterruptedException {
    if (exchange.getRequestMethod().equals("HEAD") || range.length() == 0) {
      set(exchange, "Content-Length", Long.toString(range.length()));
      exchange.sendResponseHeaders(code, -1);
      return;
    }
    exchange.sendResponseHeaders(code, range.length());
    try (OutputStream out = exchange.getResponseBody()) {
      copy.copyTo(out, range);
    }
  }

  private static void set(HttpExchange exchange, String header, String value) {
    exchange.getResponseHeaders().set(header, value);
  }

  private static void say(HttpExchange exchange, int code, String line) throws IOException {
    set(exchange, "Content-Type", "text/plain; charset=utf-8");
    write(exchange, code, (line + "\n").getBytes(StandardCharsets.UTF_8));
  }

  private static void write(HttpExchange exchange, int code, byte[] text) throws IOException {
    boolean bare = exchange.getRequestMethod().equals("HEAD");
    exchange.sendResponseHeaders(code, bare ? -1 : text.length);
    if (!bare) {
      exchange.getResponseBody().write(text);
    }
  }
}
