package dev.towline.proxy.mirror;

import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies on the disk, within a bound: what was not asked for the longest goes first. Content is
 * named by its hash and believed only after it was checked once by this process.
 *
 * <p>Threading: safe for use by several threads.
 */
final class CopyStore {
  static final String PART = ".part";

  private static final Logger log = LoggerFactory.getLogger(CopyStore.class);
  private static final long SPACE_LEFT = 64 << 20;

  private final Path directory;
  private final long limit;
  private final InstantSource clock;
  private final Set<String> checked = ConcurrentHashMap.newKeySet();

  /** Bytes of all copies, or more: counted anew before anything is deleted. */
  private long total;

  /**
   * @param limit bytes on the disk
   */
  CopyStore(Path directory, long limit, InstantSource clock) throws IOException {
    this.directory = Files.createDirectories(directory);
    this.limit = limit;
    this.clock = clock;
    for (Path file : files()) {
      total += Files.size(file);
    }
  }

  Path file(String name) {
    return directory.resolve(name);
  }

  /** Where a content is while it is fetched; it stays there for the next try. */
  Path part(String sha256) {
    return directory.resolve(sha256 + PART);
  }

  /** A copy that is whole and right. */
  Optional<Path> content(String sha256) throws IOException {
    Path file = file(sha256);
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    if (!checked.contains(sha256)) {
      if (!HexFormat.of().formatHex(Fingerprints.sha256(file)).equals(sha256)) {
        log.warn("the copy of {} was damaged and is fetched again", sha256);
        Files.deleteIfExists(file);
        return Optional.empty();
      }
      checked.add(sha256);
    }
    used(file);
    return Optional.of(file);
  }

  /** A content has come and was checked: its part is a copy now. */
  synchronized void take(String sha256, long size) throws IOException {
    Files.move(part(sha256), file(sha256), StandardCopyOption.ATOMIC_MOVE);
    checked.add(sha256);
    total += size;
  }

  /** Makes the names of copies durable. */
  void sync() throws IOException {
    DurableFiles.syncDirectory(directory);
  }

  Optional<byte[]> read(String name) throws IOException {
    try {
      byte[] content = Files.readAllBytes(file(name));
      used(file(name));
      return Optional.of(content);
    } catch (NoSuchFileException _) {
      return Optional.empty();
    }
  }

  synchronized void write(String name, byte[] content) throws IOException {
    Optional<byte[]> before = read(name);
    if (before.isEmpty() || !Arrays.equals(before.get(), content)) {
      DurableFiles.replace(file(name), content);
      total += content.length;
    }
  }

  /**
   * Deletes old copies until so much more has room.
   *
   * @param busy parts that are being written
   * @param announced bytes that they will have in the end
   * @return false when there will be none
   */
  synchronized boolean makeRoom(long bytes, Set<String> busy, long announced) throws IOException {
    if (bytes + announced > limit) {
      return false;
    }
    if (total + bytes + announced <= limit && free() >= bytes + SPACE_LEFT) {
      return true;
    }
    List<Copy> copies = new ArrayList<>();
    total = 0;
    for (Path file : files()) {
      if (!busy.contains(String.valueOf(file.getFileName()))) {
        var copy = new Copy(file, Files.size(file), Files.getLastModifiedTime(file));
        copies.add(copy);
        total += copy.size();
      }
    }
    copies.sort(Comparator.comparing(Copy::used));
    for (Copy copy : copies) {
      if (total + bytes + announced <= limit && free() >= bytes + SPACE_LEFT) {
        break;
      }
      Files.deleteIfExists(copy.file());
      total -= copy.size();
      log.info("copy {} made room", copy.file().getFileName());
    }
    return total + bytes + announced <= limit && free() >= bytes + SPACE_LEFT;
  }

  private record Copy(Path file, long size, FileTime used) {}

  private long free() throws IOException {
    return Files.getFileStore(directory).getUsableSpace();
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      return all.filter(Files::isRegularFile).toList();
    }
  }

  private void used(Path file) throws IOException {
    try {
      Files.setLastModifiedTime(file, FileTime.from(clock.instant()));
    } catch (NoSuchFileException _) {
      // It just made room; who has it open keeps it.
    }
  }
}
