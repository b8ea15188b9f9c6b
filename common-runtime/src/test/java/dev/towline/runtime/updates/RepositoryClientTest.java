package dev.towline.runtime.updates;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.json.JsonTrees;
import dev.towline.runtime.updates.UpdateRefused.Reason;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

@Requirement("U5")
class RepositoryClientTest {
  private static final Instant NOW = Instant.parse("2026-11-23T12:00:00Z");

  @TempDir private Path directory;
  private TestRepository repository;
  private Instant now = NOW;

  @BeforeEach
  void publish() {
    repository = new TestRepository(NOW);
    repository.publishRoot(List.of());
    repository.release("rules", "1.0", "first".getBytes(StandardCharsets.UTF_8));
    repository.publish();
  }

  private TargetsMetadata refresh() throws IOException, UpdateRefused {
    return refresh(repository);
  }

  /** As a client does that was started anew: everything it knows is on the disk. */
  private TargetsMetadata refresh(RepositorySource source) throws IOException, UpdateRefused {
    return new RepositoryClient(TrustedState.open(state()), repository.pin())
        .refresh(source, now)
        .targets();
  }

  private Path state() {
    return directory.resolve("trusted.json");
  }

  private void expectRefused(Reason reason) {
    expectRefused(reason, repository);
  }

  private void expectRefused(Reason reason, RepositorySource source) {
    UpdateRefused refused = catchThrowableOfType(UpdateRefused.class, () -> refresh(source));
    assertThat(refused).as("refused").isNotNull();
    assertThat(refused.reason()).as(refused.getMessage()).isEqualTo(reason);
  }

  @Test
  void refresh_whatWasPublished_isTrusted() throws Exception {
    TargetsMetadata targets = refresh();

    assertThat(targets.current("rules")).map(Release::version).contains("1.0");
    Manifest manifest =
        RepositoryClient.manifest(repository, targets.current("rules").orElseThrow());
    assertThat(manifest.entries()).extracting(Manifest.Entry::path).containsExactly("a file");
  }

  @Test
  void refresh_laterPublication_isTrustedToo() throws Exception {
    refresh();
    repository.release("rules", "1.1", "second".getBytes(StandardCharsets.UTF_8));
    repository.publish();

    assertThat(refresh().current("rules")).map(Release::version).contains("1.1");
  }

  @Test
  void refresh_nothingNew_fetchesTheTimestampOnly() throws Exception {
    refresh();
    repository.asked.clear();

    refresh();

    assertThat(repository.asked).containsExactly("metadata/2.root.json", "metadata/timestamp.json");
  }

  @Test
  void refresh_keysOverP256AndEd25519_bothCount() throws Exception {
    repository = new TestRepository(NOW);
    repository.threshold = 2;
    for (MetadataRole role : MetadataRole.values()) {
      repository.signers.put(
          role,
          List.of(TestRepository.newSigner(), UpdateSigner.of(Keys.newP256(new SecureRandom()))));
    }
    repository.publishRoot(List.of());
    repository.publish();

    assertThat(refresh().version()).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "metadata/1.root.json",
        "metadata/timestamp.json",
        "metadata/1.snapshot.json",
        "metadata/1.targets.json"
      })
  void refresh_oneValueChanged_isTampered(String path) {
    String pin = repository.pin();
    String text = new String(repository.files.get(path), StandardCharsets.UTF_8);
    // The year of the date: it stays as long as it was.
    String changed = text.replaceFirst("\"expires\" ?: ?\"20", "$0X").replaceFirst("20X2", "203");
    assertThat(changed).isNotEqualTo(text).hasSameSizeAs(text);
    repository.put(path, changed.getBytes(StandardCharsets.UTF_8));

    UpdateRefused refused =
        catchThrowableOfType(
            UpdateRefused.class,
            () -> new RepositoryClient(TrustedState.open(state()), pin).refresh(repository, now));

    assertThat(refused.reason()).isEqualTo(Reason.TAMPERED);
  }

  @Test
  void refresh_keysOfSomebodyElse_areTampering() {
    String pin = repository.pin();
    var forged = new TestRepository(NOW);
    forged.publishRoot(List.of());
    forged.publish();
    forged.put("metadata/1.root.json", repository.files.get("metadata/1.root.json"));

    UpdateRefused refused =
        catchThrowableOfType(
            UpdateRefused.class,
            () -> new RepositoryClient(TrustedState.open(state()), pin).refresh(forged, now));

    assertThat(refused.reason()).isEqualTo(Reason.TAMPERED);
  }

  @Test
  void refresh_fewerKeysThanTheThreshold_isTampered() throws Exception {
    repository = new TestRepository(NOW);
    repository.threshold = 2;
    var one = TestRepository.newSigner();
    var other = TestRepository.newSigner();
    repository.signers.put(MetadataRole.TIMESTAMP, List.of(one, other));
    repository.publishRoot(List.of());
    repository.publish();
    byte[] snapshot = repository.files.get("metadata/1.snapshot.json");
    ObjectNode timestamp =
        new TimestampMetadata(9, NOW.plus(Duration.ofDays(1)), MetadataFile.of(1, snapshot)).json();
    // The same key twice is one key.
    repository.put("metadata/timestamp.json", SignedMetadata.sign(timestamp, List.of(one, one)));

    expectRefused(Reason.TAMPERED);

    repository.put("metadata/timestamp.json", SignedMetadata.sign(timestamp, List.of(one, other)));
    assertThat(refresh()).isNotNull();
  }

  @Test
  void refresh_oneKeyUnderTwoNames_countsOnce() {
    var one = TestRepository.newSigner();
    repository = new TestRepository(NOW);
    repository.signers.put(MetadataRole.TIMESTAMP, List.of(one, TestRepository.newSigner()));
    repository.threshold = 2;
    repository.rootVersion = 1;
    ObjectNode root = repository.root().json();
    // Both names of the role lead to the first key.
    ObjectNode keys = (ObjectNode) root.get("keys");
    root.path("roles")
        .path("timestamp")
        .path("keyids")
        .forEach(id -> keys.set(id.stringValue(), one.publicKey().json()));
    repository.put(
        "metadata/1.root.json",
        SignedMetadata.sign(root, repository.signers.get(MetadataRole.ROOT)));
    repository.publish();

    expectRefused(Reason.TAMPERED);
  }

  @ParameterizedTest
  @ValueSource(strings = {"metadata/1.snapshot.json", "metadata/1.targets.json"})
  void refresh_fileCutShort_isTruncated(String path) {
    byte[] whole = repository.files.get(path);
    repository.put(path, Arrays.copyOf(whole, whole.length / 2));

    expectRefused(Reason.TRUNCATED);
  }

  @Test
  void refresh_timestampCutShort_isMalformed() {
    byte[] whole = repository.files.get("metadata/timestamp.json");
    repository.put("metadata/timestamp.json", Arrays.copyOf(whole, whole.length / 2));

    expectRefused(Reason.MALFORMED);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "metadata/timestamp.json",
        "metadata/1.snapshot.json",
        "metadata/1.targets.json",
        "metadata/2.root.json"
      })
  void refresh_fileWithoutEnd_isOversized(String path) {
    byte[] whole = repository.files.getOrDefault(path, new byte[0]);
    byte[] endless = Arrays.copyOf(whole, 32 << 20);
    Arrays.fill(endless, whole.length, endless.length, (byte) ' ');
    repository.put(path, endless);

    expectRefused(Reason.OVERSIZED);
  }

  @Test
  void refresh_rootsWithoutEnd_stopsSomewhere() {
    for (int i = 0; i < 300; i++) {
      repository.publishRoot(List.of());
    }

    expectRefused(Reason.OVERSIZED);
  }

  @Test
  void refresh_replayedPublication_isRolledBack() throws Exception {
    Map<String, byte[]> earlier = repository.copy();
    repository.publish();
    refresh();
    repository.restore(earlier);

    expectRefused(Reason.ROLLED_BACK);
  }

  @Test
  void refresh_rollbackSignedByTheTimestampKeyAlone_isRolledBack() throws Exception {
    Map<String, byte[]> earlier = repository.copy();
    repository.publish();
    refresh();
    repository.timestampVersion = 50;
    repository.snapshotVersion = 1;
    repository.restore(earlier);
    repository.publishTimestamp();

    expectRefused(Reason.ROLLED_BACK);
  }

  @Test
  void refresh_rollbackOfTargetsSignedByOnlineKeys_isRolledBack() throws Exception {
    repository.publish();
    refresh();
    byte[] old = repository.files.get("metadata/1.targets.json");
    repository.snapshotVersion = 3;
    repository.put(
        "metadata/3.snapshot.json",
        repository.sign(
            new SnapshotMetadata(3, NOW.plus(Duration.ofDays(9)), MetadataFile.of(1, old))));
    repository.publishTimestamp();

    expectRefused(Reason.ROLLED_BACK);
  }

  @Test
  void refresh_refusedRollback_leavesNothingBehind() throws Exception {
    Map<String, byte[]> first = repository.copy();
    repository.publish();
    refresh();
    Map<String, byte[]> second = repository.copy();
    repository.restore(first);
    expectRefused(Reason.ROLLED_BACK);
    expectRefused(Reason.ROLLED_BACK);

    repository.restore(second);

    assertThat(refresh().version()).isEqualTo(2);
  }

  @Test
  void refresh_sameTimestampForEver_isFrozen() throws Exception {
    refresh();
    now = NOW.plus(repository.timestampValidity);

    expectRefused(Reason.EXPIRED);

    repository.now = now;
    repository.publishTimestamp();
    assertThat(refresh()).isNotNull();
  }

  @ParameterizedTest
  @ValueSource(strings = {"ROOT", "SNAPSHOT", "TARGETS"})
  void refresh_otherRoleExpired_isFrozen(String role) {
    repository = new TestRepository(NOW);
    repository.timestampValidity = Duration.ofDays(900);
    repository.otherValidity =
        Duration.ofDays(MetadataRole.valueOf(role) == MetadataRole.ROOT ? 1 : 90);
    repository.publishRoot(List.of());
    repository.otherValidity =
        Duration.ofDays(MetadataRole.valueOf(role) == MetadataRole.ROOT ? 90 : 1);
    repository.publish();
    now = NOW.plus(Duration.ofDays(2));

    expectRefused(Reason.EXPIRED);
  }

  @Test
  void refresh_clockTenYearsOff_isRefusedAndForgotten() throws Exception {
    now = NOW.plus(Duration.ofDays(3650));
    expectRefused(Reason.EXPIRED);

    now = NOW;

    assertThat(refresh().version()).isEqualTo(1);
  }

  @Test
  void refresh_snapshotOfAnotherPublication_isMixed() {
    byte[] one = repository.sign(snapshotWithTargets(1));
    byte[] other =
        SignedMetadata.sign(
            new SnapshotMetadata(1, NOW.plus(Duration.ofDays(8)), snapshotWithTargets(1).targets())
                .json(),
            repository.signers.get(MetadataRole.SNAPSHOT));
    assertThat(other).hasSameSizeAs(one);
    repository.put("metadata/1.snapshot.json", one);
    repository.publishTimestamp();
    repository.put("metadata/1.snapshot.json", other);

    expectRefused(Reason.MIXED);
  }

  private SnapshotMetadata snapshotWithTargets(long version) {
    byte[] targets = repository.files.get("metadata/1.targets.json");
    return new SnapshotMetadata(version, NOW.plus(Duration.ofDays(9)), MetadataFile.of(1, targets));
  }

  @Test
  void refresh_snapshotUnderAnotherVersion_isMixed() {
    // Signed by the right keys, but it says that it is version 2.
    byte[] snapshot = repository.sign(snapshotWithTargets(2));
    repository.put("metadata/7.snapshot.json", snapshot);
    repository.timestampVersion++;
    repository.put(
        "metadata/timestamp.json",
        repository.sign(
            new TimestampMetadata(2, NOW.plus(Duration.ofDays(1)), MetadataFile.of(7, snapshot))));

    expectRefused(Reason.MIXED);
  }

  @Test
  void refresh_snapshotInPlaceOfATimestamp_isOfTheWrongType() {
    repository = new TestRepository(NOW);
    UpdateSigner both = TestRepository.newSigner();
    repository.signers.put(MetadataRole.TIMESTAMP, List.of(both));
    repository.signers.put(MetadataRole.SNAPSHOT, List.of(both));
    repository.publishRoot(List.of());
    repository.publish();
    repository.put("metadata/timestamp.json", repository.files.get("metadata/1.snapshot.json"));

    expectRefused(Reason.WRONG_TYPE);
  }

  @Test
  void refresh_fileThatIsNotThere_isMissing() {
    repository.files.remove("metadata/1.targets.json");

    expectRefused(Reason.MISSING);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{}",
        "<html>",
        "{\"signatures\":[],\"signed\":{\"version\":1.5}}",
        "{\"signatures\":[],\"signatures\":[],\"signed\":{}}",
        "{\"signatures\":[{\"keyid\":\"a\",\"sig\":\"xyz\"}],\"signed\":{}}"
      })
  void refresh_timestampOfAnotherForm_isMalformed(String text) {
    repository.put("metadata/timestamp.json", text.getBytes(StandardCharsets.UTF_8));

    UpdateRefused refused = catchThrowableOfType(UpdateRefused.class, this::refresh);

    assertThat(refused.reason()).isIn(Reason.MALFORMED, Reason.TAMPERED);
  }

  @Test
  void refresh_anotherFirstRoot_isTampered() {
    var other = new TestRepository(NOW);
    other.publishRoot(List.of());
    other.publish();

    expectRefused(Reason.TAMPERED, other);
  }

  @Test
  void refresh_rotatedKeys_areFollowedThroughEveryRoot() throws Exception {
    refresh();
    for (int i = 0; i < 3; i++) {
      List<UpdateSigner> old = repository.signers.get(MetadataRole.ROOT);
      for (MetadataRole role : MetadataRole.values()) {
        repository.signers.put(role, List.of(TestRepository.newSigner()));
      }
      repository.publishRoot(old);
    }
    repository.publish();

    assertThat(refresh().version()).isEqualTo(2);
  }

  @Test
  void refresh_newRootWithoutTheOldKeys_isTampered() throws Exception {
    refresh();
    repository.signers.put(MetadataRole.ROOT, List.of(TestRepository.newSigner()));
    repository.publishRoot(List.of());

    expectRefused(Reason.TAMPERED);
  }

  @Test
  void refresh_newRootWithoutItsOwnKeys_isTampered() throws Exception {
    refresh();
    List<UpdateSigner> old = repository.signers.get(MetadataRole.ROOT);
    repository.signers.put(MetadataRole.ROOT, List.of(TestRepository.newSigner()));
    repository.rootVersion++;
    repository.put("metadata/2.root.json", SignedMetadata.sign(repository.root().json(), old));

    expectRefused(Reason.TAMPERED);
  }

  @Test
  void refresh_olderRootUnderTheNextName_isRolledBack() throws Exception {
    refresh();
    repository.put("metadata/2.root.json", repository.files.get("metadata/1.root.json"));

    expectRefused(Reason.ROLLED_BACK);
  }

  @Test
  void refresh_stolenTimestampKeyWithHugeVersion_isHealedByANewKey() throws Exception {
    repository.timestampVersion = Long.MAX_VALUE - 1;
    repository.publishTimestamp();
    refresh();
    repository.timestampVersion = 5;
    repository.publishTimestamp();
    expectRefused(Reason.ROLLED_BACK);

    repository.signers.put(MetadataRole.TIMESTAMP, List.of(TestRepository.newSigner()));
    repository.publishRoot(List.of());
    repository.publishTimestamp();

    assertThat(refresh()).isNotNull();
  }

  @Test
  void refresh_sourceBreaksOffAnywhere_nextLookIsAsIfItHadNot() throws Exception {
    refresh();
    repository.publishRoot(List.of());
    repository.release("rules", "2.0", new byte[10]);
    repository.publish();
    for (int after = 0; after < 6; after++) {
      int limit = after;
      var broken = new BreakingSource(repository, limit);
      if (broken.left > 0 || limit == 0) {
        try {
          refresh(broken);
        } catch (IOException _) {
          // what is wanted
        }
      }
    }

    assertThat(refresh().current("rules")).map(Release::version).contains("2.0");
  }

  private static final class BreakingSource implements RepositorySource {
    private final RepositorySource source;
    private int left;

    BreakingSource(RepositorySource source, int left) {
      this.source = source;
      this.left = left;
    }

    @Override
    public String name() {
      return source.name();
    }

    @Override
    public Optional<byte[]> fetch(String path, long limit) throws IOException, UpdateRefused {
      if (left-- <= 0) {
        throw new IOException("broken");
      }
      return source.fetch(path, limit);
    }

    @Override
    public void copy(String path, PartialFile file, TransferPace pace) throws IOException {
      throw new IOException("broken");
    }
  }

  @Test
  void open_damagedState_isSaidAndNotForgotten() throws Exception {
    refresh();
    Files.writeString(state(), "{\"root\": 7");

    expectRefused(Reason.STATE_UNREADABLE);
  }

  @Test
  void manifest_anotherContent_isTampered() throws Exception {
    Release release = refresh().current("rules").orElseThrow();
    byte[] listed = repository.files.get(release.manifestPath());
    listed[listed.length - 3]++;

    assertThatThrownBy(() -> RepositoryClient.manifest(repository, release))
        .isInstanceOfSatisfying(
            UpdateRefused.class, e -> assertThat(e.reason()).isEqualTo(Reason.TAMPERED));
  }

  @Test
  void manifest_cutShortOrWithoutEnd_isRefused() throws Exception {
    Release release = refresh().current("rules").orElseThrow();
    byte[] listed = repository.files.get(release.manifestPath());
    List<Reason> reasons = new ArrayList<>();
    for (int length : List.of(listed.length - 1, listed.length + 1)) {
      repository.put(release.manifestPath(), Arrays.copyOf(listed, length));
      reasons.add(
          catchThrowableOfType(
                  UpdateRefused.class, () -> RepositoryClient.manifest(repository, release))
              .reason());
    }

    assertThat(reasons).containsExactly(Reason.TRUNCATED, Reason.OVERSIZED);
  }

  @Test
  void encode_membersAndTexts_haveOneForm() {
    String text = "{ \"b\": [1, 2, {\"z\": null, \"a\": true}], \"a\": \"q\\\"\\\\ü\\n\" }";

    assertThat(new String(CanonicalJson.encode(JsonTrees.parse(text)), StandardCharsets.UTF_8))
        .isEqualTo("{\"a\":\"q\\\"\\\\ü\n\",\"b\":[1,2,{\"a\":true,\"z\":null}]}");
  }
}
