package dev.towline.manager.rest;

import dev.towline.manager.updates.Serving;
import dev.towline.runtime.updates.MetadataRole;
import dev.towline.runtime.updates.RepositoryPaths;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.eclipse.jetty.http.DateGenerator;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.http.HttpURI;
import org.eclipse.jetty.http.content.HttpContent;
import org.eclipse.jetty.http.content.ResourceHttpContentFactory;
import org.eclipse.jetty.io.ByteBufferPool;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ResourceHandler;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.resource.ResourceFactory;
import org.jspecify.annotations.Nullable;

/**
 * The published tree under its path, for everybody or those who know the password (U1, U2, U6). Any
 * name is served whole, as bytes; nothing outside the tree is. Requests for other paths go on to
 * the handler behind.
 *
 * <p>Names are decoded and conditions judged here; ranges and sending are Jetty's.
 */
final class UpdateTree extends Handler.Wrapper {
  private static final HttpField BYTES =
      new HttpField(HttpHeader.CONTENT_TYPE, "application/octet-stream");
  private static final String FOR_EVER = "public, max-age=31536000, immutable";
  private static final String ALWAYS_ASK = "no-cache";

  private final Path tree;
  private final Supplier<Serving> serving;
  private final ResourceHandler files = new OctetFiles();

  UpdateTree(Path tree, Supplier<Serving> serving, Handler behind) {
    super(behind);
    this.tree = tree;
    this.serving = serving;
    files.setBaseResource(ResourceFactory.root().newResource(tree));
    files.setDirAllowed(false);
    files.setEtags(true);
    files.setAcceptRanges(true);
    files.setWelcomeFiles(List.of());
    files.setGzipEquivalentFileExtensions(List.of());
    installBean(files);
  }

  @Override
  protected void doStart() throws Exception {
    files.setServer(getServer());
    super.doStart();
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    Serving now = serving.get();
    String raw = request.getHttpURI().getPath();
    if (raw == null || !raw.startsWith(now.path())) {
      return super.handle(request, response, callback);
    }
    response.getHeaders().put("X-Content-Type-Options", "nosniff");
    boolean head = HttpMethod.HEAD.is(request.getMethod());
    if (!head && !HttpMethod.GET.is(request.getMethod())) {
      response.getHeaders().put(HttpHeader.ALLOW, "GET, HEAD");
      say(response, callback, 405, "only GET and HEAD are answered here", head);
    } else if (!now.admits(request.getHeaders().get(HttpHeader.AUTHORIZATION))) {
      response
          .getHeaders()
          .put(HttpHeader.WWW_AUTHENTICATE, "Basic realm=\"updates\", charset=\"UTF-8\"");
      say(response, callback, 401, "user and password are asked for here", head);
    } else {
      answer(raw, raw.substring(now.path().length()), now.listing(), request, response, callback);
    }
    return true;
  }

  private void answer(
      String raw,
      String below,
      boolean listing,
      Request request,
      Response response,
      Callback callback)
      throws Exception {
    boolean head = HttpMethod.HEAD.is(request.getMethod());
    Optional<String> name = decode(below);
    Path file = name.map(tree::resolve).orElse(tree);
    BasicFileAttributes attributes = name.isPresent() ? attributes(file) : null;
    if (attributes == null) {
      say(response, callback, 404, "not found", head);
    } else if (attributes.isRegularFile() && !below.endsWith("/")) {
      send(name.orElseThrow(), attributes, request, response, callback);
    } else if (attributes.isDirectory() && listing) {
      if (below.isEmpty() || below.endsWith("/")) {
        list(file, response, callback, head);
      } else {
        Response.sendRedirect(request, response, callback, raw + "/");
      }
    } else {
      say(response, callback, 404, "not found", head);
    }
  }

  private void send(
      String name,
      BasicFileAttributes attributes,
      Request request,
      Response response,
      Callback callback)
      throws Exception {
    String etag = etag(name, attributes.lastModifiedTime().toInstant(), attributes.size());
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, isImmutable(name) ? FOR_EVER : ALWAYS_ASK);
    HttpFields.Mutable headers = HttpFields.build(request.getHeaders());
    int decided = decide(headers, etag, attributes.lastModifiedTime().toInstant());
    if (decided != 0) {
      response.setStatus(decided);
      response.getHeaders().put(HttpHeader.ETAG, etag);
      callback.succeeded();
      return;
    }
    if (HttpMethod.HEAD.is(request.getMethod())) {
      // Jetty would read the file from end to end and throw it away.
      describe(attributes, etag, response);
      callback.succeeded();
      return;
    }
    HttpURI uri =
        HttpURI.build(request.getHttpURI()).path("/" + RepositoryPaths.encode(name)).query(null);
    Request served = withHeaders(Request.serveAs(request, uri), headers.asImmutable());
    if (!files.handle(served, response, callback)) {
      say(response, callback, 404, "not found", HttpMethod.HEAD.is(request.getMethod()));
    }
  }

  private static void describe(BasicFileAttributes attributes, String etag, Response response) {
    response.setStatus(HttpStatus.OK_200);
    HttpFields.Mutable headers = response.getHeaders();
    headers.put(BYTES);
    headers.put(HttpHeader.CONTENT_LENGTH, attributes.size());
    headers.put(HttpHeader.ETAG, etag);
    headers.put(HttpHeader.ACCEPT_RANGES, "bytes");
    headers.put(
        HttpHeader.LAST_MODIFIED,
        DateGenerator.formatDate(attributes.lastModifiedTime().toMillis()));
  }

  /**
   * Judges conditions, and takes them off the request.
   *
   * @return 304 or 412, or 0 for the file
   */
  private static int decide(HttpFields.Mutable headers, String etag, Instant modified) {
    String match = headers.get(HttpHeader.IF_MATCH);
    String noneMatch = headers.get(HttpHeader.IF_NONE_MATCH);
    String since = headers.get(HttpHeader.IF_MODIFIED_SINCE);
    String ofRange = headers.get(HttpHeader.IF_RANGE);
    headers.remove(HttpHeader.IF_MATCH);
    headers.remove(HttpHeader.IF_NONE_MATCH);
    headers.remove(HttpHeader.IF_MODIFIED_SINCE);
    headers.remove(HttpHeader.IF_RANGE);
    if (ofRange != null && !ofRange.equals(etag)) {
      // Another file than the one that the part is wanted of: it gets the whole of this one.
      headers.remove(HttpHeader.RANGE);
    }
    if (match != null && !isAmong(match, etag)) {
      return 412;
    }
    if (noneMatch != null) {
      return isAmong(noneMatch, etag) ? 304 : 0;
    }
    return since != null && !isLater(modified, since) ? 304 : 0;
  }

  private static boolean isAmong(String tags, String etag) {
    return Stream.of(tags.split(","))
        .map(String::strip)
        .anyMatch(tag -> tag.equals("*") || tag.equals(etag) || tag.equals("W/" + etag));
  }

  /** A date that can't be read is no condition. */
  private static boolean isLater(Instant modified, String since) {
    try {
      return modified
          .truncatedTo(ChronoUnit.SECONDS)
          .isAfter(Instant.from(DateTimeFormatter.RFC_1123_DATE_TIME.parse(since)));
    } catch (DateTimeException _) {
      return true;
    }
  }

  private static Request withHeaders(Request request, HttpFields headers) {
    return new Request.Wrapper(request) {
      @Override
      public HttpFields getHeaders() {
        return headers;
      }
    };
  }

  /** Content that its name says never changes. */
  private static boolean isImmutable(String name) {
    return !name.equals(RepositoryPaths.metadata(MetadataRole.TIMESTAMP, 0));
  }

  private static String etag(String name, Instant modified, long size) {
    return name.startsWith(RepositoryPaths.FILES)
        ? '"' + name.substring(name.lastIndexOf('/') + 1) + '"'
        : "\"%x-%x\"".formatted(modified.toEpochMilli(), size);
  }

  private static @Nullable BasicFileAttributes attributes(Path file) {
    try {
      return Files.readAttributes(file, BasicFileAttributes.class);
    } catch (IOException _) {
      return null;
    }
  }

  /** A path below the tree; empty when it could lead out of it, or is no text. */
  static Optional<String> decode(String raw) {
    var decoded = new ArrayList<String>();
    String[] segments = raw.split("/", -1);
    for (int i = 0; i < segments.length; i++) {
      if (segments[i].isEmpty() && i == segments.length - 1) {
        continue;
      }
      Optional<String> segment = segment(segments[i]);
      if (segment.isEmpty()) {
        return Optional.empty();
      }
      decoded.add(segment.get());
    }
    return Optional.of(String.join("/", decoded));
  }

  private static Optional<String> segment(String raw) {
    var bytes = new ByteArrayOutputStream();
    byte[] given = raw.getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i < given.length; i++) {
      if (given[i] != '%') {
        bytes.write(given[i]);
        continue;
      }
      if (i + 2 >= given.length) {
        return Optional.empty();
      }
      int high = Character.digit(given[i + 1], 16);
      int low = Character.digit(given[i + 2], 16);
      if (high < 0 || low < 0) {
        return Optional.empty();
      }
      bytes.write(high << 4 | low);
      i += 2;
    }
    try {
      String text =
          StandardCharsets.UTF_8
              .newDecoder()
              .decode(ByteBuffer.wrap(bytes.toByteArray()))
              .toString();
      boolean bad =
          text.isEmpty()
              || text.equals(".")
              || text.equals("..")
              || text.indexOf('/') >= 0
              || text.chars().anyMatch(Character::isISOControl);
      return bad ? Optional.empty() : Optional.of(text);
    } catch (CharacterCodingException _) {
      return Optional.empty();
    }
  }

  private static void list(Path folder, Response response, Callback callback, boolean head)
      throws IOException {
    List<String> names;
    try (Stream<Path> entries = Files.list(folder)) {
      names =
          entries
              .map(entry -> entry.getFileName() + (Files.isDirectory(entry) ? "/" : ""))
              .sorted()
              .toList();
    }
    var page =
        new StringBuilder("<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>files</title>\n");
    for (String name : names) {
      page.append("<a href=\"./")
          .append(RepositoryPaths.encode(name))
          .append("\">")
          .append(name.replace("&", "&amp;").replace("<", "&lt;"))
          .append("</a><br>\n");
    }
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, ALWAYS_ASK);
    write(response, callback, 200, "text/html; charset=utf-8", page.toString(), head);
  }

  private static void say(
      Response response, Callback callback, int status, String line, boolean head) {
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
    write(response, callback, status, "text/plain; charset=utf-8", line + "\n", head);
  }

  private static void write(
      Response response, Callback callback, int status, String type, String text, boolean head) {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    response.setStatus(status);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
    response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.length);
    if (head) {
      callback.succeeded();
    } else {
      response.write(true, ByteBuffer.wrap(body), callback);
    }
  }

  /** Jetty's files, all of them bytes, and with strong entity tags. */
  private static final class OctetFiles extends ResourceHandler {
    @Override
    protected HttpContent.Factory newHttpContentFactory(ByteBufferPool.Sized pool) {
      // Neither cached nor mapped: a part near the end of a mapped file beyond 1 GiB fails.
      var factory = new ResourceHttpContentFactory(getBaseResource(), getMimeTypes(), pool);
      return path -> {
        HttpContent content = factory.getContent(path);
        return content == null ? null : new Bytes(content, path);
      };
    }
  }

  private static final class Bytes extends HttpContent.Wrapper {
    private final String name;

    Bytes(HttpContent content, String path) {
      super(content);
      this.name = path.startsWith("/") ? path.substring(1) : path;
    }

    @Override
    public HttpField getContentType() {
      return BYTES;
    }

    @Override
    public @Nullable String getCharacterEncoding() {
      return null;
    }

    @Override
    public HttpField getETag() {
      return new HttpField(
          HttpHeader.ETAG, etag(name, getLastModifiedInstant(), getContentLengthValue()));
    }
  }
}
