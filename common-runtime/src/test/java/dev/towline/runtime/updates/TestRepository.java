package dev.towline.runtime.updates;

import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A repository in memory, with keys of its own for each role, that can also be made to lie. */
final class TestRepository implements RepositorySource {
  private static final SecureRandom RANDOM = new SecureRandom();

  final Map<String, byte[]> files = new HashMap<>();
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

  TestRepository(Instant now) {
    this.now = now;
    for (MetadataRole role : MetadataRole.values()) {
      signers.put(role, List.of(UpdateSigner.create(RANDOM)));
    }
  }

  static UpdateSigner newSigner() {
    return UpdateSigner.create(RANDOM);
  }

  String pin() {
    return MetadataFile.of(1, files.get("metadata/1.root.json")).sha256();
  }

  /** A new root, signed by the keys of now and those given. */
  void publishRoot(List<UpdateSigner> alsoSigning) {
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
  void publish() {
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
    put(
        "metadata/timestamp.json",
        sign(
            new TimestampMetadata(
                timestampVersion,
                now.plus(timestampValidity),
                MetadataFile.of(snapshotVersion, snapshot))));
  }

  byte[] sign(Metadata metadata) {
    return SignedMetadata.sign(metadata.json(), signers.get(metadata.role()));
  }

  /** A version with one file of this content. */
  Release release(String component, String version, byte[] content) {
    String hash = MetadataFile.of(1, content).sha256();
    Manifest manifest =
        new Manifest(
            component, version, List.of(new Manifest.Entry("a file", content.length, hash, false)));
    byte[] listed = manifest.content();
    Release release =
        new Release(
            component,
            version,
            releases.size() + 1L,
            true,
            1,
            content.length,
            listed.length,
            MetadataFile.of(1, listed).sha256());
    releases.replaceAll(r -> r.component().equals(component) ? r.asCurrent(false) : r);
    releases.add(release);
    put(release.manifestPath(), listed);
    put(RepositoryPaths.file(hash), content);
    return release;
  }

  void put(String path, byte[] content) {
    files.put(path, content);
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
            content.length > limit + 1
                ? java.util.Arrays.copyOf(content, (int) limit + 1)
                : content);
  }
}
