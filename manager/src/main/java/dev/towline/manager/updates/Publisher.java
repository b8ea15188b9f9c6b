package dev.towline.manager.updates;

import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.MetadataFile;
import dev.towline.runtime.updates.MetadataRole;
import dev.towline.runtime.updates.Release;
import dev.towline.runtime.updates.RootFile;
import dev.towline.runtime.updates.RootMetadata;
import dev.towline.runtime.updates.SignedMetadata;
import dev.towline.runtime.updates.SnapshotMetadata;
import dev.towline.runtime.updates.TargetsMetadata;
import dev.towline.runtime.updates.TimestampMetadata;
import dev.towline.runtime.updates.UpdateKey;
import dev.towline.runtime.updates.UpdateRefused;
import dev.towline.runtime.updates.UpdateSigner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Signs what the repository shall say. The state is on the disk before anything is signed, the
 * timestamp is written last: a crash anywhere between leaves the publication before, and {@link
 * #recover} finishes the new one.
 *
 * <p>Threading: one thread at a time, with the repository's lock. Failure: what can't be written is
 * not published.
 */
final class Publisher {
  static final Duration ROOT_VALIDITY = Duration.ofDays(730);
  static final Duration TARGETS_VALIDITY = Duration.ofDays(365);
  static final Duration SNAPSHOT_VALIDITY = Duration.ofDays(365);
  static final Duration TIMESTAMP_VALIDITY = Duration.ofDays(14);

  private static final Duration GRACE = UpdateRepository.GRACE;

  private final Path stateFile;
  private final RepositoryFiles files;
  private final RoleKeys keys;
  private final InstantSource clock;
  private RepositoryState state = new RepositoryState(Map.of(), List.of());

  Publisher(Path stateFile, RepositoryFiles files, RoleKeys keys, InstantSource clock) {
    this.stateFile = stateFile;
    this.files = files;
    this.keys = keys;
    this.clock = clock;
  }

  RepositoryState state() {
    return state;
  }

  /** Whether all keys of the root are elsewhere. */
  boolean rootIsOffline() throws IOException, UpdateRefused {
    return !keys.canSign(root(), MetadataRole.ROOT);
  }

  /** Makes the keys and an empty publication the first time; finishes what broke off. */
  void recover() throws IOException, UpdateRefused {
    Optional<RepositoryState> stored = RepositoryState.read(stateFile);
    if (stored.isEmpty()) {
      create();
      return;
    }
    state = stored.get();
    keys.load();
    RootMetadata root = root();
    if (root.version() > state.of(MetadataRole.ROOT).version()) {
      // It was published, and the crash came before anything was signed with its keys.
      state = state.with(MetadataRole.ROOT, root.version(), root.expires());
    }
    if (!isPublished(root)) {
      resign(root, MetadataRole.values());
      publish(state.releases(), List.of());
    }
  }

  /** Signs what comes near its date anew. */
  void renew() throws IOException, UpdateRefused {
    Instant now = clock.instant();
    RootMetadata root = root();
    if (isDue(MetadataRole.ROOT, ROOT_VALIDITY, now) && keys.canSign(root, MetadataRole.ROOT)) {
      replaceRoot(
          new RootMetadata(root.version() + 1, now.plus(ROOT_VALIDITY), root.roles()), root);
    }
    if (isDue(MetadataRole.TARGETS, TARGETS_VALIDITY, now)
        || isDue(MetadataRole.SNAPSHOT, SNAPSHOT_VALIDITY, now)
        || isDue(MetadataRole.TIMESTAMP, TIMESTAMP_VALIDITY, now)) {
      publish(state.releases(), List.of());
    }
  }

  /**
   * A root with new keys for what is signed here, and other keys of its own if they are given, with
   * the signatures that can be made here.
   *
   * @param rootKeys empty: as they are
   * @param threshold how many of them have to sign; 0: as it is
   */
  byte[] draftRoot(List<UpdateKey> rootKeys, int threshold, boolean rotatesOnlineKeys)
      throws IOException, UpdateRefused {
    RootMetadata present = root();
    Map<MetadataRole, RootMetadata.Keys> roles = new EnumMap<>(present.roles());
    if (rotatesOnlineKeys) {
      for (MetadataRole role : MetadataRole.values()) {
        if (role != MetadataRole.ROOT) {
          roles.put(role, RootMetadata.Keys.of(List.of(keys.create().publicKey()), 1));
        }
      }
    }
    RootMetadata.Keys own = present.keys(MetadataRole.ROOT);
    if (!rootKeys.isEmpty()) {
      own = RootMetadata.Keys.of(rootKeys, Math.max(1, threshold));
    } else if (threshold > 0) {
      own = new RootMetadata.Keys(own.byId(), threshold);
    }
    if (own.threshold() > own.byId().size()) {
      throw UpdateErrors.invalid(
          "threshold: %d (expected: at most the number of keys, %d)"
              .formatted(own.threshold(), own.byId().size()),
          "give more public keys");
    }
    roles.put(MetadataRole.ROOT, own);
    var next = new RootMetadata(present.version() + 1, clock.instant().plus(ROOT_VALIDITY), roles);
    byte[] draft = SignedMetadata.sign(next.json(), keys.of(present, MetadataRole.ROOT));
    for (UpdateSigner signer : keys.of(next, MetadataRole.ROOT)) {
      draft = RootFile.sign(draft, signer);
    }
    return draft;
  }

  /** Publishes a root that enough keys have signed, and signs everything anew with its keys. */
  long publishRoot(byte[] file) throws IOException, UpdateRefused {
    RootMetadata next = RootFile.read(file);
    RootFile.check(file, root());
    for (MetadataRole role : MetadataRole.values()) {
      if (role != MetadataRole.ROOT) {
        keys.enough(next, role);
      }
    }
    writeRoot(next, file);
    resign(next, MetadataRole.values());
    publish(state.releases(), List.of());
    keys.forgetOthers(next);
    return next.version();
  }

  private void create() throws IOException, UpdateRefused {
    Instant now = clock.instant();
    RootMetadata root;
    if (files.has(MetadataRole.ROOT, 1)) {
      root = root();
    } else {
      Map<MetadataRole, RootMetadata.Keys> roles = new EnumMap<>(MetadataRole.class);
      for (MetadataRole role : MetadataRole.values()) {
        roles.put(role, RootMetadata.Keys.of(List.of(keys.create().publicKey()), 1));
      }
      root = new RootMetadata(1, now.plus(ROOT_VALIDITY), roles);
      files.write(
          MetadataRole.ROOT,
          1,
          SignedMetadata.sign(root.json(), keys.enough(root, MetadataRole.ROOT)));
    }
    Map<MetadataRole, RepositoryState.Signed> nothing = new EnumMap<>(MetadataRole.class);
    for (MetadataRole role : MetadataRole.values()) {
      nothing.put(role, new RepositoryState.Signed(0, Instant.EPOCH));
    }
    state =
        new RepositoryState(nothing, List.of())
            .with(MetadataRole.ROOT, root.version(), root.expires());
    publish(List.of(), List.of());
  }

  /** The newest root on the disk. */
  RootMetadata root() throws IOException, UpdateRefused {
    long version =
        Math.max(1, state.published().isEmpty() ? 1 : state.of(MetadataRole.ROOT).version());
    while (files.has(MetadataRole.ROOT, version + 1)) {
      version++;
    }
    return RootFile.read(files.read(MetadataRole.ROOT, version));
  }

  /** Whether the timestamp is that of the state. */
  private boolean isPublished(RootMetadata root) throws IOException {
    long version = state.of(MetadataRole.TIMESTAMP).version();
    if (!files.has(MetadataRole.TIMESTAMP, version)) {
      return false;
    }
    try {
      TimestampMetadata timestamp =
          TimestampMetadata.read(files.read(MetadataRole.TIMESTAMP, version), root);
      return timestamp.version() == version;
    } catch (UpdateRefused _) {
      return false;
    }
  }

  private void replaceRoot(RootMetadata next, RootMetadata present)
      throws IOException, UpdateRefused {
    byte[] file = SignedMetadata.sign(next.json(), keys.enough(present, MetadataRole.ROOT));
    RootFile.check(file, present);
    writeRoot(next, file);
  }

  private void writeRoot(RootMetadata next, byte[] file) throws IOException {
    files.write(MetadataRole.ROOT, next.version(), file);
    state = state.with(MetadataRole.ROOT, next.version(), next.expires());
  }

  /** Makes everything look due. */
  private void resign(RootMetadata root, MetadataRole... roles) {
    for (MetadataRole role : roles) {
      if (role != MetadataRole.ROOT) {
        state = state.with(role, state.of(role).version(), Instant.EPOCH);
      }
    }
    state = state.with(MetadataRole.ROOT, root.version(), root.expires());
  }

  /** Signs and publishes; what is still right is not signed again, but for the timestamp. */
  void publish(List<Release> releases, List<Release> removed) throws IOException, UpdateRefused {
    Instant now = clock.instant();
    RootMetadata root = root();
    List<Release> left = new ArrayList<>(releases);
    left.removeAll(removed);
    List<Manifest> removedFiles = manifests(removed);
    RepositoryState next = state.with(left);
    boolean newTargets =
        !next.releases().equals(state.releases())
            || isDue(MetadataRole.TARGETS, TARGETS_VALIDITY, now);
    if (newTargets) {
      next = bumped(next, MetadataRole.TARGETS, now.plus(TARGETS_VALIDITY));
    }
    boolean newSnapshot = newTargets || isDue(MetadataRole.SNAPSHOT, SNAPSHOT_VALIDITY, now);
    if (newSnapshot) {
      next = bumped(next, MetadataRole.SNAPSHOT, now.plus(SNAPSHOT_VALIDITY));
    }
    next = bumped(next, MetadataRole.TIMESTAMP, now.plus(TIMESTAMP_VALIDITY));

    RepositoryState.Signed targets = next.of(MetadataRole.TARGETS);
    RepositoryState.Signed snapshot = next.of(MetadataRole.SNAPSHOT);
    RepositoryState.Signed timestamp = next.of(MetadataRole.TIMESTAMP);
    next.write(stateFile);
    state = next;
    if (newTargets) {
      var metadata = new TargetsMetadata(targets.version(), targets.expires(), next.releases());
      files.write(
          MetadataRole.TARGETS,
          targets.version(),
          SignedMetadata.sign(metadata.json(), keys.enough(root, MetadataRole.TARGETS)));
    }
    if (newSnapshot) {
      byte[] listed = files.read(MetadataRole.TARGETS, targets.version());
      var metadata =
          new SnapshotMetadata(
              snapshot.version(), snapshot.expires(), MetadataFile.of(targets.version(), listed));
      files.write(
          MetadataRole.SNAPSHOT,
          snapshot.version(),
          SignedMetadata.sign(metadata.json(), keys.enough(root, MetadataRole.SNAPSHOT)));
    }
    byte[] listed = files.read(MetadataRole.SNAPSHOT, snapshot.version());
    var metadata =
        new TimestampMetadata(
            timestamp.version(), timestamp.expires(), MetadataFile.of(snapshot.version(), listed));
    files.write(
        MetadataRole.TIMESTAMP,
        timestamp.version(),
        SignedMetadata.sign(metadata.json(), keys.enough(root, MetadataRole.TIMESTAMP)));

    // Published. What follows only frees space.
    for (Release release : removed) {
      files.remove(release);
    }
    if (!removed.isEmpty()) {
      files.sweep(manifests(next.releases()), removedFiles, now, GRACE);
    }
    files.sweepMetadata(MetadataRole.TARGETS, targets.version());
    files.sweepMetadata(MetadataRole.SNAPSHOT, snapshot.version());
  }

  List<Manifest> manifests(List<Release> releases) throws IOException, UpdateRefused {
    List<Manifest> manifests = new ArrayList<>();
    for (Release release : releases) {
      manifests.add(
          Manifest.parse(Files.readAllBytes(files.resolve(release.manifestPath())), release));
    }
    return manifests;
  }

  private static RepositoryState bumped(RepositoryState state, MetadataRole role, Instant expires) {
    return state.with(role, state.of(role).version() + 1, expires);
  }

  private boolean isDue(MetadataRole role, Duration validity, Instant now) {
    return now.isAfter(state.of(role).expires().minus(validity.dividedBy(2)));
  }
}
