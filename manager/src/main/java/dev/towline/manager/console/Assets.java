package dev.towline.manager.console;

import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;

/**
 * The style sheet and script of the pages, from the class path. Their addresses carry a part of
 * their hash, so they may be kept by browsers for ever.
 */
public final class Assets {
  /** A file as it is sent. */
  @SuppressWarnings("ArrayRecordComponent")
  record Asset(String path, String contentType, byte[] content) {}

  private final Asset style = load("towline", ".css", "text/css", "towline.css");
  private final Asset htmx =
      load(
          "htmx",
          ".js",
          "text/javascript",
          "/META-INF/resources/webjars/htmx.org/2.0.10/dist/htmx.min.js");
  private final Map<String, Asset> byPath = Map.of(style.path(), style, htmx.path(), htmx);

  /** Address of the style sheet. */
  public String style() {
    return style.path();
  }

  /** Address of htmx. */
  public String htmx() {
    return htmx.path();
  }

  Optional<Asset> find(String path) {
    return Optional.ofNullable(byPath.get(path));
  }

  private static Asset load(String name, String ending, String contentType, String resource) {
    try (InputStream in = Assets.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IllegalStateException(resource + " is missing from the class path");
      }
      byte[] content = in.readAllBytes();
      String hash = HexFormat.of().formatHex(Arrays.copyOf(Fingerprints.sha256(content), 6));
      return new Asset(
          "/assets/" + name + "-" + hash + ending, contentType + "; charset=utf-8", content);
    } catch (IOException e) {
      throw new UncheckedIOException("failed to read " + resource, e);
    }
  }
}
