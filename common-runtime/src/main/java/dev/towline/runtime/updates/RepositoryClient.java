package dev.towline.runtime.updates;

import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.updates.UpdateRefused.Reason;
import java.io.IOException;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Optional;

/**
 * The client's side of a TUF repository: from a pinned first root to a list of targets that the
 * right keys signed, that is not older than what was seen before, and not out of date. It has
 * neither a socket nor a clock; the source may say what it likes.
 *
 * <p>Threading: one thread at a time. Failure: what was trusted before stays, and is used again
 * with the next source.
 */
public final class RepositoryClient {
  private static final long MOST_TIMESTAMP = 16 << 10;
  private static final long MOST_ROOT = 512 << 10;
  private static final long MOST_SNAPSHOT = 1 << 20;
  private static final long MOST_TARGETS = 16 << 20;
  private static final long MOST_MANIFEST = 64 << 20;

  /** New roots at one look: more would be an endless chain. */
  private static final int MOST_ROOTS = 256;

  private final TrustedState state;
  private final String rootPin;

  /**
   * @param rootPin SHA-256 of the first root's file, in hexadecimal
   */
  public RepositoryClient(TrustedState state, String rootPin) {
    this.state = state;
    this.rootPin = rootPin;
  }

  /**
   * What the repository offers at present.
   *
   * @param now as the fleet has it
   */
  public Publication refresh(RepositorySource source, Instant now)
      throws IOException, UpdateRefused {
    RootMetadata root = root(source, now);
    TimestampMetadata timestamp = timestamp(source, root, now);
    SnapshotMetadata snapshot = snapshot(source, root, timestamp, now);
    return new Publication(root, timestamp, snapshot, targets(source, root, snapshot, now));
  }

  /** The list of files of a version that {@link #refresh} gave. */
  public static Manifest manifest(RepositorySource source, Release release)
      throws IOException, UpdateRefused {
    if (release.length() > MOST_MANIFEST) {
      throw new UpdateRefused(
          Reason.OVERSIZED,
          "%s: %d bytes (expected: at most %d)"
              .formatted(release.target(), release.length(), MOST_MANIFEST));
    }
    byte[] content = fetch(source, release.manifestPath(), release.length());
    if (content.length < release.length()) {
      throw new UpdateRefused(
          Reason.TRUNCATED,
          "%s: %d bytes (expected: %d)"
              .formatted(release.target(), content.length, release.length()));
    }
    if (!HexFormat.of().formatHex(Fingerprints.sha256(content)).equals(release.sha256())) {
      throw new UpdateRefused(
          Reason.TAMPERED, release.target() + ": another content than the signed one");
    }
    return Manifest.parse(content, release);
  }

  private RootMetadata root(RepositorySource source, Instant now)
      throws IOException, UpdateRefused {
    RootMetadata root = firstRoot(source);
    for (int i = 0; ; i++) {
      String path = RepositoryPaths.metadata(MetadataRole.ROOT, root.version() + 1);
      Optional<byte[]> next = source.fetch(path, MOST_ROOT);
      if (next.isEmpty()) {
        break;
      }
      if (i == MOST_ROOTS) {
        throw new UpdateRefused(
            Reason.OVERSIZED, "more than " + MOST_ROOTS + " new roots at one look");
      }
      byte[] content = limited(next.get(), path, MOST_ROOT);
      SignedMetadata metadata = SignedMetadata.parse(content, path);
      metadata.verify(root, MetadataRole.ROOT);
      RootMetadata newer = RootMetadata.parse(metadata, path);
      metadata.verify(newer, MetadataRole.ROOT);
      if (newer.version() != root.version() + 1) {
        throw new UpdateRefused(
            newer.version() <= root.version() ? Reason.ROLLED_BACK : Reason.MIXED,
            "%s: version %d (expected: %d)".formatted(path, newer.version(), root.version() + 1));
      }
      boolean otherKeys =
          !newer.keys(MetadataRole.TIMESTAMP).equals(root.keys(MetadataRole.TIMESTAMP))
              || !newer.keys(MetadataRole.SNAPSHOT).equals(root.keys(MetadataRole.SNAPSHOT));
      state.putRoot(content, otherKeys);
      root = newer;
    }
    expectFresh(root, now);
    return root;
  }

  private RootMetadata firstRoot(RepositorySource source) throws IOException, UpdateRefused {
    Optional<byte[]> stored = state.get(MetadataRole.ROOT);
    if (stored.isPresent()) {
      try {
        return selfSigned(stored.get(), "stored root");
      } catch (UpdateRefused _) {
        throw state.unreadable();
      }
    }
    String path = RepositoryPaths.metadata(MetadataRole.ROOT, 1);
    byte[] content = fetch(source, path, MOST_ROOT);
    if (!HexFormat.of().formatHex(Fingerprints.sha256(content)).equals(rootPin)) {
      throw new UpdateRefused(
          Reason.TAMPERED, path + ": another root than the one that the policy pins");
    }
    RootMetadata root = selfSigned(content, path);
    state.putRoot(content, true);
    return root;
  }

  private static RootMetadata selfSigned(byte[] content, String what) throws UpdateRefused {
    SignedMetadata metadata = SignedMetadata.parse(content, what);
    RootMetadata root = RootMetadata.parse(metadata, what);
    metadata.verify(root, MetadataRole.ROOT);
    return root;
  }

  private TimestampMetadata timestamp(RepositorySource source, RootMetadata root, Instant now)
      throws IOException, UpdateRefused {
    String path = RepositoryPaths.metadata(MetadataRole.TIMESTAMP, 0);
    byte[] content = fetch(source, path, MOST_TIMESTAMP);
    SignedMetadata metadata = SignedMetadata.parse(content, path);
    metadata.verify(root, MetadataRole.TIMESTAMP);
    TimestampMetadata offered = TimestampMetadata.parse(metadata, path);
    Optional<TimestampMetadata> trusted =
        stored(root, MetadataRole.TIMESTAMP, TimestampMetadata::parse);
    if (trusted.isPresent()) {
      expectNotOlder(path, offered.version(), trusted.get().version());
      if (offered.version() == trusted.get().version()) {
        // Also with nothing new: a source that shows the same for ever hides what is new.
        expectFresh(trusted.get(), now);
        return trusted.get();
      }
      expectNotOlder(
          path + " names a snapshot that",
          offered.snapshot().version(),
          trusted.get().snapshot().version());
    }
    expectFresh(offered, now);
    state.put(MetadataRole.TIMESTAMP, content);
    return offered;
  }

  private interface Parser<T> {
    T parse(SignedMetadata metadata, String name) throws UpdateRefused;
  }

  /** One that present keys did not sign counts for nothing: the root was changed. */
  private <T> Optional<T> stored(RootMetadata root, MetadataRole role, Parser<T> parser) {
    Optional<byte[]> stored = state.get(role);
    if (stored.isEmpty()) {
      return Optional.empty();
    }
    String name = "stored " + role.label();
    try {
      SignedMetadata metadata = SignedMetadata.parse(stored.get(), name);
      metadata.verify(root, role);
      return Optional.of(parser.parse(metadata, name));
    } catch (UpdateRefused _) {
      return Optional.empty();
    }
  }

  private SnapshotMetadata snapshot(
      RepositorySource source, RootMetadata root, TimestampMetadata timestamp, Instant now)
      throws IOException, UpdateRefused {
    MetadataFile wanted = timestamp.snapshot();
    String path = RepositoryPaths.metadata(MetadataRole.SNAPSHOT, wanted.version());
    Optional<SnapshotMetadata> trusted =
        stored(root, MetadataRole.SNAPSHOT, SnapshotMetadata::parse);
    byte[] content = content(source, MetadataRole.SNAPSHOT, path, wanted, MOST_SNAPSHOT);
    SignedMetadata metadata = SignedMetadata.parse(content, path);
    metadata.verify(root, MetadataRole.SNAPSHOT);
    wanted.checkHash(content, path);
    SnapshotMetadata snapshot = SnapshotMetadata.parse(metadata, path);
    expectVersion(path, snapshot.version(), wanted.version());
    if (trusted.isPresent()) {
      expectNotOlder(
          path + " names a list of targets that",
          snapshot.targets().version(),
          trusted.get().targets().version());
    }
    expectFresh(snapshot, now);
    keep(MetadataRole.SNAPSHOT, content);
    return snapshot;
  }

  private TargetsMetadata targets(
      RepositorySource source, RootMetadata root, SnapshotMetadata snapshot, Instant now)
      throws IOException, UpdateRefused {
    MetadataFile wanted = snapshot.targets();
    String path = RepositoryPaths.metadata(MetadataRole.TARGETS, wanted.version());
    byte[] content = content(source, MetadataRole.TARGETS, path, wanted, MOST_TARGETS);
    SignedMetadata metadata = SignedMetadata.parse(content, path);
    metadata.verify(root, MetadataRole.TARGETS);
    wanted.checkHash(content, path);
    TargetsMetadata targets = TargetsMetadata.parse(metadata, path);
    expectVersion(path, targets.version(), wanted.version());
    expectFresh(targets, now);
    keep(MetadataRole.TARGETS, content);
    return targets;
  }

  /** What is stored if it is the wanted one, else what the source has. */
  private byte[] content(
      RepositorySource source, MetadataRole role, String path, MetadataFile wanted, long most)
      throws IOException, UpdateRefused {
    if (wanted.length() > most) {
      throw new UpdateRefused(
          Reason.OVERSIZED,
          "%s: %d bytes (expected: at most %d)".formatted(path, wanted.length(), most));
    }
    Optional<byte[]> stored = state.get(role);
    if (stored.isPresent() && MetadataFile.of(wanted.version(), stored.get()).equals(wanted)) {
      return stored.get();
    }
    byte[] content = fetch(source, path, wanted.length());
    wanted.checkLength(content, path);
    return content;
  }

  private void keep(MetadataRole role, byte[] content) throws IOException {
    Optional<byte[]> stored = state.get(role);
    if (stored.isEmpty() || !java.util.Arrays.equals(stored.get(), content)) {
      state.put(role, content);
    }
  }

  private static byte[] fetch(RepositorySource source, String path, long limit)
      throws IOException, UpdateRefused {
    byte[] content =
        source
            .fetch(path, limit)
            .orElseThrow(() -> new UpdateRefused(Reason.MISSING, path + ": not there"));
    return limited(content, path, limit);
  }

  private static byte[] limited(byte[] content, String path, long limit) throws UpdateRefused {
    if (content.length > limit) {
      throw new UpdateRefused(Reason.OVERSIZED, "%s: more than %d bytes".formatted(path, limit));
    }
    return content;
  }

  private static void expectNotOlder(String what, long offered, long trusted) throws UpdateRefused {
    if (offered < trusted) {
      throw new UpdateRefused(
          Reason.ROLLED_BACK,
          "%s has version %d (expected: %d, which was seen before, or later)"
              .formatted(what, offered, trusted));
    }
  }

  private static void expectVersion(String path, long version, long wanted) throws UpdateRefused {
    if (version != wanted) {
      throw new UpdateRefused(
          Reason.MIXED, "%s: version %d (expected: %d)".formatted(path, version, wanted));
    }
  }

  private static void expectFresh(Metadata metadata, Instant now) throws UpdateRefused {
    if (!now.isBefore(metadata.expires())) {
      throw new UpdateRefused(
          Reason.EXPIRED,
          "%s of version %d: past its date %s (it is %s)"
              .formatted(
                  metadata.role().label(),
                  metadata.version(),
                  metadata.expires(),
                  MetadataJson.time(now)));
    }
  }
}
