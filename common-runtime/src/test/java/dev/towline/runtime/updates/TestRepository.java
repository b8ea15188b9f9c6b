package dev.towline.runtime.updates;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** A repository in memory, with keys of its own for each role, that can also be made to lie. */
public final class TestRepository implements RepositorySource {
  private static final SecureRandom RANDOM = new SecureRandom();

  final Map<String, byte[]> files = new HashMap<>();
  private final Map<Long, byte[]> timestamps = new HashMap<>();
  final List<String> asked = new ArrayList<>();
  final Map<MetadataRole, List<UpdateSigner>> signers = new EnumMap<>(MetadataRole.class);
  int threshold = 1;
  Instant now;
  long rootVersion;
  long targetsVersion;
  long snapshotVersion;
  long timestampVersion;
  Duration timestampValidity = Duration.ofDays(7);
  Duration otherValidity = Duration.ofDays(90);
  final List<Release> releases = new ArrayList<>();

  public TestRepository(Instant now) {
    this.now = now;
    for (MetadataRole role : MetadataRole.values()) {
      signers.put(role, List.of(UpdateSigner.create(RANDOM)));
    }
  }

  static UpdateSigner newSigner() {
    return UpdateSigner.create(RANDOM);
  }

  public String pin() {
    return MetadataFile.of(1, files.get("metadata/1.root.json")).sha256();
  }

  /** A new root, signed by the keys of now and those given. */
  public void publishRoot(List<UpdateSigner> alsoSigning) {
    rootVersion++;
    List<UpdateSigner> all = new ArrayList<>(signers.get(MetadataRole.ROOT));
    all.addAll(alsoSigning);
    put("metadata/" + rootVersion + ".root.json", SignedMetadata.sign(root().json(), all));
  }

  RootMetadata root() {
    Map<MetadataRole, RootMetadata.Keys> keys = new EnumMap<>(MetadataRole.class);
    signers.forEach((role, ofRole) ->
        keys.put(
            role,
            RootMetadata.Keys.of(
                ofRole.stream().map(UpdateSigner::publicKey).toList(),
                Math.min(threshold, ofRole.size()))));
    return new RootMetadata(rootVersion, now.plus(otherValidity), keys);
  }

  /** Everything below the root, anew. */
  public void publish() {
    targetsVersion++;
    byte[] targets = sign(new TargetsMetadata(targetsVersion, now.plus(otherValidity), releases));
    put("metadata/" + targetsVersion + ".targets.json", targets);
    snapshotVersion++;
    byte[] snapshot =
        sign(
            new SnapshotMetadata(
                snapshotVersion,
                now.plus(otherValidity),
                MetadataFile.of(targetsVersion, targets)));
    put("metadata/" + snapshotVersion + ".snapshot.json", snapshot);
    publishTimestamp();
  }

  void publishTimestamp() {
    timestampVersion++;
    byte[] snapshot = files.get("metadata/" + snapshotVersion + ".snapshot.json");
    byte[] timestamp =
        sign(
            new TimestampMetadata(
                timestampVersion,
                now.plus(timestampValidity),
                MetadataFile.of(snapshotVersion, snapshot)));
    timestamps.put(timestampVersion, timestamp);
    put("metadata/timestamp.json", timestamp);
  }

  byte[] sign(Metadata metadata) {
    return SignedMetadata.sign(metadata.json(), signers.get(metadata.role()));
  }

  /** A version with one file of this content. */
  Release release(String component, String version, byte[] content) {
    return release(component, version, Map.of("a file", content));
  }

  /** A version with these files; those in a folder called bin can be executed. */
  public Release release(String component, String version, Map<String, byte[]> contents) {
    List<Manifest.Entry> entries = new ArrayList<>();
    contents.forEach((path, content) -> {
      String hash = MetadataFile.of(1, content).sha256();
      entries.add(new Manifest.Entry(path, content.length, hash, path.contains("bin/")));
      put(RepositoryPaths.file(hash), content);
    });
    Manifest manifest = new Manifest(component, version, entries);
    byte[] listed = manifest.content();
    Release release =
        new Release(
            component,
            version,
            releases.size() + 1L,
            true,
            entries.size(),
            manifest.bytes(),
            listed.length,
            MetadataFile.of(1, listed).sha256());
    releases.replaceAll(r -> r.component().equals(component) ? r.asCurrent(false) : r);
    releases.add(release);
    put(release.manifestPath(), listed);
    return release;
  }

  /** Whatever is below this path from now on. */
  public void put(String path, byte[] content) {
    files.put(path, content);
  }

  public List<String> paths() {
    return List.copyOf(files.keySet());
  }

  public String text(String path) {
    return new String(Objects.requireNonNull(files.get(path)), StandardCharsets.UTF_8);
  }

  /** As it was when it was published. */
  public byte[] earlierTimestamp(long version) {
    return Objects.requireNonNull(timestamps.get(version));
  }

  /** The paths that were asked for. */
  public List<String> asked() {
    return asked;
  }

  Map<String, byte[]> copy() {
    return new HashMap<>(files);
  }

  void restore(Map<String, byte[]> earlier) {
    files.clear();
    files.putAll(earlier);
  }

  @Override
  public String name() {
    return "test";
  }

  @Override
  public Optional<byte[]> fetch(String path, long limit) {
    asked.add(path);
    return Optional.ofNullable(files.get(path))
        .map(content ->
            content.length > limit + 1 ? Arrays.copyOf(content, (int) limit + 1) : content);
  }

  @Override
  public void copy(String path, PartialFile file, TransferPace pace)
      throws IOException, UpdateRefused {
    asked.add(path);
    byte[] content = files.get(path);
    if (content == null) {
      throw new UpdateRefused(UpdateRefused.Reason.MISSING, path);
    }
    int offset = (int) file.offset();
    file.write(ByteBuffer.wrap(content, offset, content.length - offset));
  }
}
