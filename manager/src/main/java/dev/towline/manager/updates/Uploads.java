package dev.towline.manager.updates;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.PartialFile;
import dev.towline.runtime.updates.UpdateRefused;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Files that are being uploaded, by content. One that breaks off is gone on with, also after a
 * restart.
 *
 * <p>Threading: safe for use by several threads; one writes at a time. Failure: a file that can't
 * be written, or is another one than announced, is refused and begins anew.
 */
final class Uploads implements AutoCloseable {
  /** Open files; the one that was not written to for longest makes room. */
  private static final int MOST_OPEN = 32;

  private final Path directory;
  private final RepositoryFiles files;
  private final Map<String, PartialFile> open = new LinkedHashMap<>(MOST_OPEN, 0.75f, true);

  Uploads(Path directory, RepositoryFiles files) throws IOException {
    this.directory = directory;
    this.files = files;
    Files.createDirectories(directory);
  }

  /** How much of it is here; all of it when it is published or ready to be. */
  synchronized long offset(Manifest.Entry entry) throws IOException {
    if (files.has(entry)) {
      return entry.size();
    }
    if (entry.size() == 0) {
      return write(entry, 0, ByteBuffer.allocate(0));
    }
    PartialFile partial = open.get(entry.sha256());
    if (partial != null) {
      return partial.offset();
    }
    Path file = file(entry);
    return Files.exists(file) ? Math.min(Files.size(file), entry.size()) : 0;
  }

  /** Takes what comes next, and the file as a whole when that is the end of it. */
  synchronized long write(Manifest.Entry entry, long offset, ByteBuffer data) throws IOException {
    if (files.has(entry)) {
      return entry.size();
    }
    PartialFile partial = partial(entry);
    if (offset != partial.offset()) {
      return partial.offset();
    }
    try {
      partial.write(data);
      if (partial.isWhole()) {
        partial.complete();
        drop(entry);
        files.take(file(entry), entry.sha256());
        return entry.size();
      }
      return partial.offset();
    } catch (UpdateRefused e) {
      drop(entry);
      throw new TowlineException(
          UpdateErrors.INCOMPLETE,
          "file %s: %s".formatted(entry.path(), e.getMessage()),
          "it was changed while it was imported: import it again",
          e);
    }
  }

  private PartialFile partial(Manifest.Entry entry) throws IOException {
    PartialFile known = open.get(entry.sha256());
    if (known != null) {
      return known;
    }
    if (open.size() >= MOST_OPEN) {
      var eldest = open.entrySet().iterator();
      eldest.next().getValue().close();
      eldest.remove();
    }
    PartialFile opened = PartialFile.open(file(entry), entry.size(), entry.sha256());
    open.put(entry.sha256(), opened);
    return opened;
  }

  private void drop(Manifest.Entry entry) throws IOException {
    PartialFile known = open.remove(entry.sha256());
    if (known != null) {
      known.close();
    }
  }

  /** Deletes what nobody went on with. */
  synchronized void sweep(Instant now, Duration grace) throws IOException {
    List<Path> all;
    try (Stream<Path> list = Files.list(directory)) {
      all = list.toList();
    }
    for (Path file : all) {
      FileTime modified = Files.getLastModifiedTime(file);
      if (!open.containsKey(String.valueOf(file.getFileName()))
          && modified.toInstant().isBefore(now.minus(grace))) {
        Files.deleteIfExists(file);
      }
    }
  }

  private Path file(Manifest.Entry entry) {
    return directory.resolve(entry.sha256());
  }

  @Override
  public synchronized void close() throws IOException {
    for (PartialFile partial : new ArrayList<>(open.values())) {
      partial.close();
    }
    open.clear();
  }
}
