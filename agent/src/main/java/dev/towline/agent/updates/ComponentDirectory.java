package dev.towline.agent.updates;

import dev.towline.runtime.data.FileTrees;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.PartialFile;
import dev.towline.runtime.updates.Release;
import dev.towline.runtime.updates.RepositoryPaths;
import dev.towline.runtime.updates.RepositorySource;
import dev.towline.runtime.updates.TransferPace;
import dev.towline.runtime.updates.UpdateRefused;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Where a component's files are on this host. The directory that the policy names is a link to the
 * version in force; versions are beside it, in {@code .NAME.towline}. A new version is on the disk
 * as a whole before the link is replaced, in one step.
 *
 * <p>Threading: one thread. Failure: what breaks off leaves the version in force, and what came for
 * the next try.
 */
final class ComponentDirectory {
  private static final long SPACE_LEFT = 16 << 20;
  private static final Set<PosixFilePermission> PLAIN =
      PosixFilePermissions.fromString("rw-r--r--");
  private static final Set<PosixFilePermission> EXECUTABLE =
      PosixFilePermissions.fromString("rwxr-xr-x");
  private static final String INCOMING = ".incoming";

  private final Path link;
  private final Path parent;
  private final Path versions;
  private final String versionsName;

  /**
   * @param directory absolute, below another one than the root
   */
  ComponentDirectory(Path directory) {
    this.link = directory;
    this.parent = Objects.requireNonNull(directory.getParent());
    this.versionsName = "." + directory.getFileName() + ".towline";
    this.versions = parent.resolve(versionsName);
  }

  /** Whether the directory leads to this version now. */
  boolean has(String folder) throws IOException {
    return Files.isSymbolicLink(link)
        && Files.readSymbolicLink(link).equals(target(folder))
        && Files.isDirectory(link);
  }

  /** The name of a version's folder: versions of one name in two repositories are two. */
  static String folder(Release release) {
    return release.version() + "-" + release.sha256().substring(0, 12);
  }

  /** Fetches what is not here yet and puts the version in force. */
  void apply(RepositorySource source, Release release, Manifest manifest, TransferPace pace)
      throws IOException, UpdateRefused, InterruptedException {
    expectFree();
    String folder = folder(release);
    Path incoming = Files.createDirectories(versions.resolve(INCOMING));
    Map<String, Path> here = filesOfVersionInForce();
    Path complete = versions.resolve(folder);
    if (!Files.isDirectory(complete)) {
      long needed = 0;
      Set<String> counted = new HashSet<>();
      for (Manifest.Entry entry : manifest.entries()) {
        needed += entry.size();
        if (!here.containsKey(entry.sha256()) && counted.add(entry.sha256())) {
          needed += entry.size();
          Path part = incoming.resolve(entry.sha256());
          needed -= Files.exists(part) ? Math.min(Files.size(part), entry.size()) : 0;
        }
      }
      expectSpace(needed);
      for (Manifest.Entry entry : manifest.entries()) {
        if (!here.containsKey(entry.sha256())) {
          fetch(source, entry, incoming, pace);
        }
      }
      build(manifest, here, incoming, complete);
    }
    swap(folder);
    sweep(folder);
  }

  private static void fetch(
      RepositorySource source, Manifest.Entry entry, Path incoming, TransferPace pace)
      throws IOException, UpdateRefused, InterruptedException {
    try (PartialFile file =
        PartialFile.open(incoming.resolve(entry.sha256()), entry.size(), entry.sha256())) {
      if (!file.isWhole()) {
        source.copy(RepositoryPaths.file(entry.sha256()), file, pace);
      }
      file.complete();
    }
  }

  /**
   * By content. Somebody may have changed a file in its place, so each is read before it is
   * believed.
   */
  private Map<String, Path> filesOfVersionInForce() throws IOException {
    Map<String, Path> files = new HashMap<>();
    if (!Files.isSymbolicLink(link) || !Files.isDirectory(link)) {
      return files;
    }
    try (Stream<Path> all = Files.walk(link.toRealPath())) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        files.put(sha256(file), file);
      }
    }
    return files;
  }

  private static String sha256(Path file) throws IOException {
    return HexFormat.of().formatHex(Fingerprints.sha256(file));
  }

  private void build(Manifest manifest, Map<String, Path> here, Path incoming, Path complete)
      throws IOException {
    Path building = versions.resolve(complete.getFileName() + ".new");
    FileTrees.delete(building);
    Set<Path> folders = new TreeSet<>();
    folders.add(building);
    Files.createDirectories(building);
    for (Manifest.Entry entry : manifest.entries()) {
      String path = entry.path();
      Path file = building.resolve(path);
      for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
        Path folder = building.resolve(path.substring(0, slash));
        if (folders.add(folder)) {
          Files.createDirectories(folder);
        }
      }
      Path content = here.getOrDefault(entry.sha256(), incoming.resolve(entry.sha256()));
      Files.copy(content, file);
      Files.setPosixFilePermissions(file, entry.executable() ? EXECUTABLE : PLAIN);
      DurableFiles.sync(file);
    }
    for (Path folder : folders) {
      DurableFiles.syncDirectory(folder);
    }
    Files.move(building, complete, StandardCopyOption.ATOMIC_MOVE);
    DurableFiles.syncDirectory(versions);
  }

  /** From one version to the other in one step. */
  private void swap(String folder) throws IOException {
    if (has(folder)) {
      return;
    }
    Path fresh = versions.resolve("link.new");
    Files.deleteIfExists(fresh);
    Files.createSymbolicLink(fresh, target(folder));
    if (Files.isDirectory(link) && !Files.isSymbolicLink(link)) {
      // Empty, or it would have been refused.
      Files.delete(link);
    }
    Files.move(fresh, link, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    DurableFiles.syncDirectory(parent);
  }

  private Path target(String folder) {
    return Path.of(versionsName, folder);
  }

  /** The version in force and the one before stay. */
  private void sweep(String folder) throws IOException {
    FileTrees.delete(versions.resolve(INCOMING));
    List<Path> others;
    try (Stream<Path> all = Files.list(versions)) {
      others =
          all.filter(path -> !String.valueOf(path.getFileName()).equals(folder))
              .sorted((a, b) -> Long.compare(modified(b), modified(a)))
              .toList();
    }
    for (int i = 1; i < others.size(); i++) {
      FileTrees.delete(others.get(i));
    }
  }

  private static long modified(Path path) {
    try {
      return Files.getLastModifiedTime(path).toMillis();
    } catch (IOException _) {
      return 0;
    }
  }

  private void expectFree() throws IOException {
    if (Files.isSymbolicLink(link) && Files.readSymbolicLink(link).startsWith(versionsName)) {
      return;
    }
    if (Files.isDirectory(link)) {
      try (Stream<Path> content = Files.list(link)) {
        if (content.findAny().isEmpty()) {
          return;
        }
      }
    } else if (!Files.exists(link, LinkOption.NOFOLLOW_LINKS)) {
      Files.createDirectories(parent);
      return;
    }
    throw new DirectoryNotEmptyException(
        link + " is there and not of Towline's making: move it away, or name another directory");
  }

  private void expectSpace(long needed) throws IOException {
    long free = Files.getFileStore(versions).getUsableSpace();
    if (free < needed + SPACE_LEFT) {
      throw new IOException(
          "%d MB needed beside %s, %d MB free"
              .formatted((needed + SPACE_LEFT) / 1_000_000, link, free / 1_000_000));
    }
  }
}
