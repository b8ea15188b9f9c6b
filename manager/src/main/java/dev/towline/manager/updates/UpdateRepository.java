package dev.towline.manager.updates;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.MetadataFile;
import dev.towline.runtime.updates.MetadataRole;
import dev.towline.runtime.updates.Release;
import dev.towline.runtime.updates.RepositoryPaths;
import dev.towline.runtime.updates.UpdateKey;
import dev.towline.runtime.updates.UpdateRefused;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * The repository of the fleet's content. A publication is what the timestamp speaks of; it is
 * written last, so a crash anywhere before leaves the publication before it whole.
 *
 * <p>Lifecycle: {@link #open} makes the keys and an empty publication the first time, and finishes
 * what a crash broke off; {@link #renew} is called now and then; {@link #close}.
 *
 * <p>Threading: safe for use by several threads. Several managers may share the directory: a lock
 * on a file in it lets one of them publish at a time. Failure: what can't be written is not
 * published.
 */
public final class UpdateRepository implements AutoCloseable {
  /** Versions of a component that stay beside the current one when nothing else is said. */
  public static final int KEPT_VERSIONS = 3;

  /** Until what nothing needs is deleted: hosts may be in the middle of fetching it. */
  static final Duration GRACE = Duration.ofDays(1);

  private static final String WHOLE = "whole";
  private static final int PART = 1 << 20;

  private final RepositoryFiles files;
  private final Uploads uploads;
  private final Publisher publisher;
  private final InstantSource clock;
  private final FileChannel lockFile;

  private UpdateRepository(Path directory, InstantSource clock, SecureRandom random)
      throws IOException {
    this.clock = clock;
    this.files = new RepositoryFiles(directory.resolve("public"));
    this.uploads = new Uploads(directory.resolve("incoming"), files);
    this.publisher =
        new Publisher(
            directory.resolve("repository.json"),
            files,
            RoleKeys.open(directory.resolve("keys"), random),
            clock);
    this.lockFile =
        FileChannel.open(
            directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
  }

  public static UpdateRepository open(Path directory, InstantSource clock, SecureRandom random) {
    try {
      Files.createDirectories(directory);
      var repository = new UpdateRepository(directory, clock, random);
      repository.locked(() -> WHOLE);
      return repository;
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** The tree that is served. */
  public Path publicTree() {
    return files.directory();
  }

  /** SHA-256 of the first root, by which hosts know this repository. */
  public String rootPin() {
    try {
      return HexFormat.of().formatHex(Fingerprints.sha256(files.read(MetadataRole.ROOT, 1)));
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** What there is, by component and age. */
  public synchronized List<Release> releases() {
    return publisher.state().releases();
  }

  /** From when on hosts refuse it, unless it is signed anew, by what. */
  public synchronized Map<MetadataRole, Instant> expiries() {
    Map<MetadataRole, Instant> expiries = new EnumMap<>(MetadataRole.class);
    publisher.state().published().forEach((role, signed) -> expiries.put(role, signed.expires()));
    return expiries;
  }

  /** Whether all keys of the root are elsewhere. */
  public synchronized boolean rootIsOffline() {
    return run(publisher::rootIsOffline);
  }

  /** How much of each file is here already. */
  public List<Long> offsets(Collection<Manifest.Entry> entries) {
    return run(() -> {
      List<Long> offsets = new ArrayList<>();
      for (Manifest.Entry entry : entries) {
        offsets.add(uploads.offset(entry));
      }
      return offsets;
    });
  }

  /**
   * Takes a part of a file.
   *
   * @return how much of it is here; another number than offset and length together say: go on there
   */
  public long upload(Manifest.Entry entry, long offset, ByteBuffer data) {
    return run(() -> uploads.write(entry, offset, data));
  }

  /**
   * Publishes a version; all of its files have been uploaded.
   *
   * @param current hosts shall have it
   */
  public Release publish(Manifest manifest, boolean current, int keep) {
    if (!Release.isName(manifest.component()) || !Release.isName(manifest.version())) {
      throw UpdateErrors.invalid(
          "component %s, version %s: a name that can't be used"
              .formatted(manifest.component(), manifest.version()),
          "use letters, digits and ._+-, at most 64 of them");
    }
    return locked(() -> {
      List<Release> releases = new ArrayList<>(publisher.state().releases());
      if (releases.stream().anyMatch(r -> isVersion(r, manifest.component(), manifest.version()))) {
        throw new TowlineException(
            UpdateErrors.EXISTS,
            "version %s of component %s: there already"
                .formatted(manifest.version(), manifest.component()),
            "a version never changes: import it under another name");
      }
      for (Manifest.Entry entry : manifest.entries()) {
        if (!files.has(entry)) {
          throw new TowlineException(
              UpdateErrors.INCOMPLETE,
              "file %s of version %s: not uploaded".formatted(entry.path(), manifest.version()),
              "import it again");
        }
      }
      byte[] content = manifest.content();
      long number =
          releases.stream()
                  .filter(r -> r.component().equals(manifest.component()))
                  .mapToLong(Release::number)
                  .max()
                  .orElse(0)
              + 1;
      var release =
          new Release(
              manifest.component(),
              manifest.version(),
              number,
              current,
              manifest.entries().size(),
              manifest.bytes(),
              content.length,
              MetadataFile.of(1, content).sha256());
      files.write(release, manifest, content);
      if (current) {
        releases.replaceAll(
            r -> r.component().equals(manifest.component()) ? r.asCurrent(false) : r);
      }
      releases.add(release);
      publisher.publish(releases, old(releases, manifest.component(), keep));
      return release;
    });
  }

  /** Makes a version the one that hosts shall have: forward or back. */
  public Release select(String component, String version) {
    return locked(() -> {
      List<Release> releases = new ArrayList<>(publisher.state().releases());
      Release chosen = find(component, version);
      releases.replaceAll(
          r -> r.component().equals(component) ? r.asCurrent(r.version().equals(version)) : r);
      publisher.publish(releases, List.of());
      return chosen.asCurrent(true);
    });
  }

  /** Takes a version away that is not the current one, or a component's last. */
  public Release remove(String component, String version) {
    return locked(() -> {
      Release release = find(component, version);
      long others =
          publisher.state().releases().stream().filter(r -> r.component().equals(component)).count()
              - 1;
      if (release.current() && others > 0) {
        throw UpdateErrors.invalid(
            "version %s of component %s: the current one".formatted(version, component),
            "choose another one first: towline updates select");
      }
      publisher.publish(publisher.state().releases(), List.of(release));
      return release;
    });
  }

  /**
   * Takes away all but the current and the newest versions of every component, and deletes files
   * that nothing needs.
   */
  public List<Release> prune(int keep) {
    return locked(() -> {
      List<Release> gone = new ArrayList<>();
      publisher.state().releases().stream()
          .map(Release::component)
          .distinct()
          .forEach(component -> gone.addAll(old(publisher.state().releases(), component, keep)));
      publisher.publish(publisher.state().releases(), gone);
      files.removeOthers(publisher.state().releases());
      files.sweep(
          publisher.manifests(publisher.state().releases()), List.of(), clock.instant(), GRACE);
      uploads.sweep(clock.instant(), GRACE);
      return gone;
    });
  }

  private static List<Release> old(List<Release> releases, String component, int keep) {
    return releases.stream()
        .filter(r -> r.component().equals(component) && !r.current())
        .sorted(Comparator.reverseOrder())
        .skip(Math.max(0, keep))
        .toList();
  }

  /** Signs what comes near its date anew. To be called now and then. */
  public void renew() {
    locked(() -> {
      publisher.renew();
      return WHOLE;
    });
  }

  /**
   * A file of the tree.
   *
   * @param sameAs an earlier one with the same content; empty when there is none
   */
  public record TreeFile(String path, long size, String sameAs) {}

  /** Every file of the tree, what others speak of before them: in this order it is copied. */
  public List<TreeFile> tree() {
    return locked(() -> {
      Map<String, String> contents = new HashMap<>();
      List<Release> releases = publisher.state().releases();
      List<Manifest> manifests = publisher.manifests(releases);
      for (int i = 0; i < releases.size(); i++) {
        Release release = releases.get(i);
        for (Manifest.Entry entry : manifests.get(i).entries()) {
          contents.put(
              RepositoryPaths.CONTENT
                  + release.component()
                  + "/"
                  + release.version()
                  + "/"
                  + entry.path(),
              RepositoryPaths.file(entry.sha256()));
        }
      }
      List<TreeFile> tree = new ArrayList<>();
      for (String path : files.list()) {
        tree.add(
            new TreeFile(path, Files.size(files.resolve(path)), contents.getOrDefault(path, "")));
      }
      return tree;
    });
  }

  /** A part of a file of the tree; empty at its end. */
  public byte[] read(String path, long offset) {
    if (!Manifest.isSafe(path) || offset < 0) {
      throw UpdateErrors.invalid("path: " + path + " (expected: one of the tree)", "");
    }
    return run(() -> {
      try (FileChannel in = FileChannel.open(files.resolve(path), StandardOpenOption.READ)) {
        ByteBuffer part = ByteBuffer.allocate(PART);
        while (part.hasRemaining() && in.read(part, offset + part.position()) >= 0) {
          // until it is full
        }
        byte[] read = new byte[part.flip().remaining()];
        part.get(read);
        return read;
      } catch (NoSuchFileException _) {
        throw new TowlineException(
            UpdateErrors.NOT_FOUND,
            "file " + path + ": not there, or no longer",
            "list the tree again");
      }
    });
  }

  /**
   * A root with new keys for what is signed here, and other keys of its own if they are given, with
   * the signatures that can be made here.
   *
   * @param rootKeys empty: as they are
   * @param threshold how many of them have to sign; 0: as it is
   */
  public byte[] draftRoot(List<UpdateKey> rootKeys, int threshold, boolean rotatesOnlineKeys) {
    return locked(() -> publisher.draftRoot(rootKeys, threshold, rotatesOnlineKeys));
  }

  /** Publishes a root that enough keys have signed, and signs everything anew with its keys. */
  public long publishRoot(byte[] file) {
    return locked(() -> publisher.publishRoot(file));
  }

  private Release find(String component, String version) {
    return publisher.state().releases().stream()
        .filter(r -> isVersion(r, component, version))
        .findFirst()
        .orElseThrow(() -> UpdateErrors.notFound(component, version));
  }

  private static boolean isVersion(Release release, String component, String version) {
    return release.component().equals(component) && release.version().equals(version);
  }

  private interface Operation<T> {
    T run() throws IOException, UpdateRefused;
  }

  /**
   * With what other managers published in the meantime, and none of them at the same time. What one
   * of them, or a full disk, left half done is finished first.
   */
  private synchronized <T> T locked(Operation<T> operation) {
    return run(() -> {
      try (var _ = lockFile.lock()) {
        publisher.recover();
        return operation.run();
      }
    });
  }

  private static <T> T run(Operation<T> operation) {
    try {
      return operation.run();
    } catch (IOException e) {
      throw failed(e);
    } catch (UpdateRefused e) {
      throw new TowlineException(UpdateErrors.INVALID, e.getMessage(), "see docs/updates.md", e);
    }
  }

  private static TowlineException failed(IOException e) {
    return new TowlineException(
        UpdateErrors.REPOSITORY_FAILED,
        "the repository can't be read or written: " + e.getMessage(),
        "check the disk and the rights of its directory",
        e);
  }

  @Override
  public void close() throws IOException {
    uploads.close();
    lockFile.close();
  }
}
