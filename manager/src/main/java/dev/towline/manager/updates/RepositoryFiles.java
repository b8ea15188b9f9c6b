package dev.towline.manager.updates;

import dev.towline.runtime.data.FileTrees;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.MetadataRole;
import dev.towline.runtime.updates.Release;
import dev.towline.runtime.updates.RepositoryPaths;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The published tree on the disk. Everything in it but the timestamp is named by version or content
 * and never changes, so whatever is there is right, or not spoken of yet.
 */
final class RepositoryFiles {
  /** Metadata of that many publications stays for those who are in the middle of one. */
  private static final long METADATA_KEPT = 20;

  private static final Comparator<String> ORDER =
      Comparator.comparingInt(RepositoryFiles::rank).thenComparing(Comparator.naturalOrder());

  private final Path directory;

  RepositoryFiles(Path directory) throws IOException {
    this.directory = directory;
    for (String part :
        List.of(
            RepositoryPaths.METADATA,
            RepositoryPaths.TARGETS,
            RepositoryPaths.FILES,
            RepositoryPaths.CONTENT)) {
      Files.createDirectories(directory.resolve(part));
    }
  }

  Path directory() {
    return directory;
  }

  Path resolve(String path) {
    return directory.resolve(path);
  }

  boolean has(Manifest.Entry entry) throws IOException {
    Path file = resolve(RepositoryPaths.file(entry.sha256()));
    try {
      return Files.size(file) == entry.size();
    } catch (NoSuchFileException _) {
      return false;
    }
  }

  /** A file that was checked and is on the disk gets its name. */
  void take(Path file, String sha256) throws IOException {
    Path name = resolve(RepositoryPaths.file(sha256));
    Path folder = folder(name);
    Files.createDirectories(folder);
    Files.move(file, name, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    DurableFiles.syncDirectory(folder);
    DurableFiles.syncDirectory(directory.resolve(RepositoryPaths.FILES));
  }

  void write(MetadataRole role, long version, byte[] content) throws IOException {
    DurableFiles.replace(resolve(RepositoryPaths.metadata(role, version)), content);
  }

  byte[] read(MetadataRole role, long version) throws IOException {
    return Files.readAllBytes(resolve(RepositoryPaths.metadata(role, version)));
  }

  boolean has(MetadataRole role, long version) {
    return Files.exists(resolve(RepositoryPaths.metadata(role, version)));
  }

  /** The list of a version's files, and the files under their own names. */
  void write(Release release, Manifest manifest, byte[] content) throws IOException {
    DurableFiles.replace(resolve(release.manifestPath()), content);
    Path tree = content(release);
    Set<Path> folders = new HashSet<>();
    for (Manifest.Entry entry : manifest.entries()) {
      Path name = tree.resolve(entry.path());
      Path folder = folder(name);
      if (folders.add(folder)) {
        Files.createDirectories(folder);
      }
      link(name, resolve(RepositoryPaths.file(entry.sha256())));
    }
  }

  /** Names here are always below the tree. */
  private static Path folder(Path name) {
    return Objects.requireNonNull(name.getParent());
  }

  private static void link(Path name, Path file) throws IOException {
    try {
      Files.createLink(name, file);
    } catch (FileAlreadyExistsException _) {
      // an earlier try of the same import
    } catch (FileSystemException | UnsupportedOperationException _) {
      // As many links as there can be, or none on this file system.
      Files.copy(file, name, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private Path content(Release release) {
    return resolve(RepositoryPaths.CONTENT + release.component() + "/" + release.version());
  }

  /** A version is not spoken of any more; its files stay for a while ({@link #sweep}). */
  void remove(Release release) throws IOException {
    FileTrees.delete(content(release));
    Files.deleteIfExists(resolve(release.manifestPath()));
  }

  /** Deletes files that belong to no version and were not needed for a while. */
  int sweep(Collection<Manifest> kept, Collection<Manifest> removed, Instant now, Duration grace)
      throws IOException {
    Set<String> used = new HashSet<>();
    kept.forEach(manifest -> manifest.entries().forEach(entry -> used.add(entry.sha256())));
    for (Manifest manifest : removed) {
      for (Manifest.Entry entry : manifest.entries()) {
        Path file = resolve(RepositoryPaths.file(entry.sha256()));
        if (!used.contains(entry.sha256()) && Files.exists(file)) {
          // Counted from now on: hosts may be in the middle of fetching it.
          Files.setLastModifiedTime(file, FileTime.from(now));
        }
      }
    }
    int deleted = 0;
    for (Path file : all(resolve(RepositoryPaths.FILES))) {
      if (!used.contains(String.valueOf(file.getFileName()))
          && Files.getLastModifiedTime(file).toInstant().isBefore(now.minus(grace))) {
        Files.delete(file);
        deleted++;
      }
    }
    return deleted;
  }

  /** Deletes what an import or a removal that was broken off left. */
  void removeOthers(Collection<Release> releases) throws IOException {
    Set<Path> known = new HashSet<>();
    for (Release release : releases) {
      known.add(content(release));
      known.add(resolve(release.manifestPath()));
    }
    for (Path component : list(resolve(RepositoryPaths.CONTENT))) {
      if (!Files.isDirectory(component)) {
        Files.delete(component);
        continue;
      }
      for (Path version : list(component)) {
        if (!known.contains(version)) {
          FileTrees.delete(version);
        }
      }
      if (list(component).isEmpty()) {
        Files.delete(component);
      }
    }
    for (Path target : all(resolve(RepositoryPaths.TARGETS))) {
      if (!known.contains(target)) {
        Files.delete(target);
      }
    }
  }

  void sweepMetadata(MetadataRole role, long current) throws IOException {
    for (long version = current - METADATA_KEPT; version > 0; version--) {
      if (!Files.deleteIfExists(resolve(RepositoryPaths.metadata(role, version)))) {
        return;
      }
    }
  }

  /** Every file of the tree as a path below it; the timestamp is the last one. */
  List<String> list() throws IOException {
    String last = RepositoryPaths.metadata(MetadataRole.TIMESTAMP, 0);
    List<String> paths = new ArrayList<>();
    for (Path file : all(directory)) {
      String path = directory.relativize(file).toString();
      if (!path.equals(last) && !path.endsWith(".new")) {
        paths.add(path);
      }
    }
    paths.sort(ORDER);
    paths.add(last);
    return paths;
  }

  /** What others speak of comes before them. */
  private static int rank(String path) {
    return List.of(
            RepositoryPaths.FILES,
            RepositoryPaths.CONTENT,
            RepositoryPaths.TARGETS,
            RepositoryPaths.METADATA)
        .indexOf(path.substring(0, path.indexOf('/') + 1));
  }

  private static List<Path> list(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  private static List<Path> all(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files.filter(Files::isRegularFile).toList();
    }
  }
}
