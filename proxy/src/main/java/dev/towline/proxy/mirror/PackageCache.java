package dev.towline.proxy.mirror;

import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Packages on disk, each fetched from the manager once however many ask at the same time. A file is
 * named {@code <package>~<version>}, the version being a hash of what the manager says identifies
 * the content, so that a changed package is another file.
 *
 * <p>Threading: thread-safe; calls block. Failure: while no manager answers, the copy that was
 * asked for last is served; a fetch that breaks off is taken up where it stopped.
 */
public final class PackageCache {
  private static final Logger log = LoggerFactory.getLogger(PackageCache.class);
  private static final String PREFIX = "/packages/";
  private static final String PART = CopyStore.PART;
  private static final int VERSION_BYTES = 12;

  private final Path directory;
  private final long limit;
  private final ManagerSite site;
  private final Executor threads;
  private final InstantSource clock;
  private final Map<Path, Download> downloads = new ConcurrentHashMap<>();

  /**
   * @param limit bytes on disk; the copies not asked for the longest go first
   * @param threads one may block on each, such as virtual threads
   */
  public PackageCache(
      Path directory, long limit, ManagerSite site, Executor threads, InstantSource clock)
      throws IOException {
    this.directory = directory;
    this.limit = limit;
    this.site = site;
    this.threads = threads;
    this.clock = clock;
    Files.createDirectories(directory);
    for (Path left : list(name -> name.endsWith(PART))) {
      Files.delete(left);
    }
  }

  /** What came of asking for a package. */
  sealed interface Found {
    /** A copy, possibly still growing. */
    record Copy(Download download) implements Found {}

    /** The manager's own answer, for instance that there is no such package. */
    record Status(int code) implements Found {}

    /** No manager answers and there is no copy. */
    record Unreachable(String reason) implements Found {}
  }

  /**
   * Finds a package by its name, which is one plain file name.
   *
   * <p>The returned copy is only promised until the next ones push it out; a reader that has opened
   * it keeps it.
   */
  Found find(String name) throws IOException, InterruptedException {
    HttpResponse<InputStream> head;
    try {
      head = site.ask("HEAD", PREFIX + name, Map.of());
    } catch (IOException e) {
      return newest(name)
          .<Found>map(copy -> new Found.Copy(Download.complete(copy)))
          .orElseGet(() -> new Found.Unreachable(String.valueOf(e.getMessage())));
    }
    head.body().close();
    long size = head.headers().firstValueAsLong("Content-Length").orElse(-1);
    if (head.statusCode() != 200 || size < 0) {
      return new Found.Status(head.statusCode() == 200 ? 502 : head.statusCode());
    }
    String validator =
        head.headers()
            .firstValue("ETag")
            .or(() -> head.headers().firstValue("Last-Modified"))
            .orElse("");
    Path file = directory.resolve(name + "~" + version(validator, size));
    synchronized (downloads) {
      Download running = downloads.get(file);
      if (running != null) {
        return new Found.Copy(running);
      }
      if (Files.exists(file)) {
        touch(file);
        return new Found.Copy(Download.complete(file));
      }
      Download started = new Download(partOf(file), size);
      downloads.put(file, started);
      threads.execute(() -> fetch(name, validator, file, started));
      return new Found.Copy(started);
    }
  }

  private void fetch(String name, String validator, Path file, Download download) {
    try {
      download.run(site, PREFIX + name, validator);
      Files.move(partOf(file), file, StandardCopyOption.ATOMIC_MOVE);
      touch(file);
      log.info("package {} is mirrored, {} bytes", name, download.size());
      evict(file);
    } catch (IOException | UncheckedIOException e) {
      log.warn("package {} can't be mirrored: {}", name, e.toString());
      download.fail(e.toString());
      deleteQuietly(partOf(file));
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      download.fail("the proxy stops");
      deleteQuietly(partOf(file));
    } finally {
      synchronized (downloads) {
        downloads.remove(file);
      }
    }
  }

  /** Makes room, but never by what has just come. */
  private void evict(Path keep) throws IOException {
    List<Path> files = list(name -> !name.endsWith(PART));
    long total = 0;
    for (Path file : files) {
      total += Files.size(file);
    }
    for (Path file : files.stream().sorted(Comparator.comparing(PackageCache::usedAt)).toList()) {
      if (total <= limit) {
        return;
      }
      if (!file.equals(keep)) {
        total -= Files.size(file);
        Files.delete(file);
        log.info("package copy {} made room", file.getFileName());
      }
    }
  }

  private Optional<Path> newest(String name) throws IOException {
    return list(file -> file.startsWith(name + "~") && !file.endsWith(PART)).stream()
        .max(Comparator.comparing(PackageCache::usedAt));
  }

  private List<Path> list(Predicate<String> name) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(file -> name.test(String.valueOf(file.getFileName()))).toList();
    }
  }

  private void touch(Path file) throws IOException {
    Files.setLastModifiedTime(file, FileTime.from(clock.instant()));
  }

  private static FileTime usedAt(Path file) {
    try {
      return Files.getLastModifiedTime(file);
    } catch (IOException e) {
      return FileTime.fromMillis(0);
    }
  }

  private static Path partOf(Path file) {
    return file.resolveSibling(file.getFileName() + PART);
  }

  private static String version(String validator, long size) {
    byte[] text = (validator + "\n" + size).getBytes(StandardCharsets.UTF_8);
    return HexFormat.of().formatHex(Fingerprints.sha256(text), 0, VERSION_BYTES);
  }

  private static void deleteQuietly(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      log.warn("{} can't be deleted: {}", file, e.toString());
    }
  }
}
