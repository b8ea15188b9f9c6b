package dev.towline.manager.updates;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.updates.DirectorySource;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.MetadataRole;
import dev.towline.runtime.updates.Publication;
import dev.towline.runtime.updates.Release;
import dev.towline.runtime.updates.RepositoryClient;
import dev.towline.runtime.updates.RootFile;
import dev.towline.runtime.updates.TrustedState;
import dev.towline.runtime.updates.UpdateSigner;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("U5")
class UpdateRepositoryTest {
  private static final Instant START = Instant.parse("2026-11-23T12:00:00Z");
  private static final SecureRandom RANDOM = new SecureRandom();

  @TempDir private Path temporary;
  private Instant now = START;
  private UpdateRepository repository;

  @BeforeEach
  void open() {
    repository = UpdateRepository.open(temporary.resolve("repository"), () -> now, RANDOM);
  }

  @AfterEach
  void close() throws IOException {
    repository.close();
  }

  private Release publish(String version, Map<String, String> files) {
    return publish(repository, version, files);
  }

  private static Release publish(
      UpdateRepository repository, String version, Map<String, String> files) {
    List<Manifest.Entry> entries = new ArrayList<>();
    new TreeMap<>(files)
        .forEach((path, text) -> {
          byte[] content = text.getBytes(StandardCharsets.UTF_8);
          var entry = new Manifest.Entry(path, content.length, sha256(content), false);
          entries.add(entry);
          long offset = repository.offsets(List.of(entry)).getFirst();
          if (offset < content.length || content.length == 0) {
            assertThat(
                    repository.upload(
                        entry,
                        offset,
                        ByteBuffer.wrap(content, (int) offset, content.length - (int) offset)))
                .isEqualTo(content.length);
          }
        });
    return repository.publish(
        new Manifest("rules", version, entries), true, UpdateRepository.KEPT_VERSIONS);
  }

  private static String sha256(byte[] content) {
    return HexFormat.of().formatHex(Fingerprints.sha256(content));
  }

  /** What a host sees that knows nothing but the pin. */
  private Publication seen() throws Exception {
    return seen(repository.publicTree(), repository.rootPin());
  }

  private Publication seen(Path tree, String pin) throws Exception {
    return new RepositoryClient(TrustedState.inMemory(), pin)
        .refresh(new DirectorySource(tree), now);
  }

  private String current(Publication publication) {
    return publication.targets().current("rules").map(Release::version).orElse("none");
  }

  @Test
  @Requirement("U1")
  void publish_versionWithFiles_isWhatHostsSee() throws Exception {
    publish("1.0", Map.of("a file", "text", "bin/100%25", "", "größe/+%2B", "x"));

    Publication seen = seen();

    assertThat(current(seen)).isEqualTo("1.0");
    Manifest manifest =
        RepositoryClient.manifest(
            new DirectorySource(repository.publicTree()),
            seen.targets().current("rules").orElseThrow());
    assertThat(manifest.entries())
        .extracting(Manifest.Entry::path)
        .containsExactly("a file", "bin/100%25", "größe/+%2B");
    assertThat(repository.publicTree().resolve("content/rules/1.0/größe/+%2B")).hasContent("x");
  }

  @Test
  void publish_sameVersionAgain_isRefused() {
    publish("1.0", Map.of("a", "1"));

    assertThatThrownBy(() -> publish("1.0", Map.of("a", "2")))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("there already");
  }

  @Test
  void publish_fileThatWasNotUploaded_isRefused() {
    var entry = new Manifest.Entry("a", 3, "0".repeat(64), false);

    assertThatThrownBy(
            () -> repository.publish(new Manifest("rules", "1", List.of(entry)), true, 3))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("not uploaded");
  }

  @Test
  void upload_anotherContentThanAnnounced_isRefused() {
    var entry = new Manifest.Entry("a", 3, "0".repeat(64), false);

    assertThatThrownBy(() -> repository.upload(entry, 0, ByteBuffer.wrap(new byte[3])))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("another content");
    assertThat(repository.offsets(List.of(entry))).containsExactly(0L);
  }

  @Test
  void upload_afterARestart_goesOnWhereItStopped() throws Exception {
    byte[] content = "one two".getBytes(StandardCharsets.UTF_8);
    var entry = new Manifest.Entry("a", content.length, sha256(content), false);
    repository.upload(entry, 0, ByteBuffer.wrap(content, 0, 4));
    repository.close();
    open();

    assertThat(repository.offsets(List.of(entry))).containsExactly(4L);
    // From another place than it is at, nothing is taken.
    assertThat(repository.upload(entry, 2, ByteBuffer.wrap(content, 2, 5))).isEqualTo(4);
    assertThat(repository.upload(entry, 4, ByteBuffer.wrap(content, 4, 3))).isEqualTo(7);
  }

  @Test
  void select_earlierVersion_isANewPublication() throws Exception {
    publish("1.0", Map.of("a", "1"));
    publish("1.1", Map.of("a", "2"));
    long before = seen().targets().version();

    repository.select("rules", "1.0");

    assertThat(current(seen())).isEqualTo("1.0");
    assertThat(seen().targets().version()).isGreaterThan(before);
  }

  @Test
  void prune_oldVersions_goAndTheirFilesADayLater() throws Exception {
    for (int i = 0; i < 6; i++) {
      publish("1." + i, Map.of("same", "same", "own", "own " + i));
    }
    assertThat(repository.releases())
        .extracting(Release::version)
        .containsExactly("1.2", "1.3", "1.4", "1.5");

    repository.prune(1);

    assertThat(repository.releases()).extracting(Release::version).containsExactly("1.4", "1.5");
    assertThat(repository.publicTree().resolve("content/rules"))
        .isDirectoryNotContaining(path -> path.endsWith("1.3"));
    assertThat(blobs()).hasSize(7);
    now = START.plus(Duration.ofDays(2));
    repository.prune(1);
    assertThat(blobs()).hasSize(3);
    assertThat(seen().targets().releases()).hasSize(2);
  }

  private List<Path> blobs() throws IOException {
    try (Stream<Path> files = Files.walk(repository.publicTree().resolve("files"))) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  @Test
  void remove_currentVersion_isRefusedWhileThereAreOthers() {
    publish("1.0", Map.of("a", "1"));
    publish("1.1", Map.of("a", "2"));

    assertThatThrownBy(() -> repository.remove("rules", "1.1"))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("the current one");
    repository.remove("rules", "1.0");
    repository.remove("rules", "1.1");
    assertThat(repository.releases()).isEmpty();
  }

  @Test
  void renew_overYears_isNeverOutOfDate() throws Exception {
    publish("1.0", Map.of("a", "1"));
    TrustedState host = TrustedState.open(temporary.resolve("host.json"));
    for (int day = 0; day < 800; day += 5) {
      now = START.plus(Duration.ofDays(day));
      repository.renew();
      new RepositoryClient(host, repository.rootPin())
          .refresh(new DirectorySource(repository.publicTree()), now);
    }
    assertThat(Files.list(repository.publicTree().resolve("metadata"))).hasSizeLessThan(60);
  }

  @Test
  void renew_nothingDue_publishesNothing() throws Exception {
    long before = seen().timestamp().version();

    repository.renew();

    assertThat(seen().timestamp().version()).isEqualTo(before);
  }

  /** Every file that publishing writes is the last one that a crash lets through. */
  @Test
  void publish_crashAtAnyPoint_leavesTheOldOneOrTheNewOne() throws Exception {
    publish("1.0", Map.of("a", "1", "b", "same"));
    repository.close();
    Path before = temporary.resolve("before");
    copy(temporary.resolve("repository"), before);
    open();
    publish("1.1", Map.of("a", "2", "b", "same"));
    String pin = repository.rootPin();
    List<String> written = new ArrayList<>();
    Path after = temporary.resolve("repository");
    for (Path file : regularFiles(after)) {
      Path old = before.resolve(after.relativize(file));
      if (!Files.exists(old) || Files.mismatch(old, file) >= 0) {
        written.add(after.relativize(file).toString());
      }
    }
    written.sort(Comparator.comparingInt(UpdateRepositoryTest::turn));
    assertThat(written).hasSizeGreaterThanOrEqualTo(7);
    assertThat(written.getLast()).isEqualTo("public/metadata/timestamp.json");

    for (int count = 0; count <= written.size(); count++) {
      Path crashed = temporary.resolve("crashed-" + count);
      copy(before, crashed);
      for (String path : written.subList(0, count)) {
        Files.createDirectories(crashed.resolve(path).getParent());
        Files.copy(after.resolve(path), crashed.resolve(path), StandardCopyOption.REPLACE_EXISTING);
      }
      String expected = count == written.size() ? "1.1" : "1.0";
      assertThat(current(seen(crashed.resolve("public"), pin)))
          .as("seen after %d of %s", count, written)
          .isEqualTo(expected);
      try (var recovered = UpdateRepository.open(crashed, () -> now, RANDOM)) {
        assertThat(current(seen(crashed.resolve("public"), pin))).isIn("1.0", "1.1");
        publish(recovered, "1.2", Map.of("a", "3"));
        recovered.prune(3);
        assertThat(current(seen(crashed.resolve("public"), pin))).isEqualTo("1.2");
      }
    }
  }

  @Test
  void publish_afterAFileCouldNotBeWritten_worksWithoutARestart() throws Exception {
    publish("1.0", Map.of("a", "1"));
    Path next = repository.publicTree().resolve("metadata/3.targets.json");
    Path inTheWay = Files.createDirectories(next).resolve("something");
    Files.writeString(inTheWay, "");

    assertThatThrownBy(() -> publish("1.1", Map.of("a", "2")))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("can't be read or written");
    assertThat(current(seen())).isEqualTo("1.0");
    Files.delete(inTheWay);
    Files.delete(next);
    publish("1.2", Map.of("a", "3"));

    assertThat(current(seen())).isEqualTo("1.2");
  }

  /** In the order in which publishing writes. */
  private static int turn(String path) {
    List<String> order =
        List.of("public/files", "public/targets", "public/content", "repository.json");
    for (int i = 0; i < order.size(); i++) {
      if (path.startsWith(order.get(i))) {
        return i;
      }
    }
    return path.endsWith("targets.json") ? 10 : path.endsWith("snapshot.json") ? 11 : 12;
  }

  @Test
  void draftRoot_newOnlineKeys_hostsFollow() throws Exception {
    publish("1.0", Map.of("a", "1"));
    TrustedState host = TrustedState.open(temporary.resolve("host.json"));
    var client = new RepositoryClient(host, repository.rootPin());
    var source = new DirectorySource(repository.publicTree());
    Publication before = client.refresh(source, now);

    repository.publishRoot(repository.draftRoot(List.of(), 0, true));

    Publication after = client.refresh(source, now);
    assertThat(after.root().version()).isEqualTo(2);
    assertThat(after.root().keys(MetadataRole.TARGETS))
        .isNotEqualTo(before.root().keys(MetadataRole.TARGETS));
    publish("1.1", Map.of("a", "2"));
    assertThat(current(client.refresh(source, now))).isEqualTo("1.1");
    assertThat(Files.list(temporary.resolve("repository/keys"))).hasSize(4);
  }

  @Test
  void publishRoot_rootTakenOffline_needsItsSignatureFromThenOn() throws Exception {
    UpdateSigner one = UpdateSigner.create(RANDOM);
    UpdateSigner other = UpdateSigner.create(RANDOM);
    byte[] draft = repository.draftRoot(List.of(one.publicKey(), other.publicKey()), 2, false);
    assertThatThrownBy(() -> repository.publishRoot(draft))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("expected: 2");
    byte[] signed = RootFile.sign(draft, one);
    assertThatThrownBy(() -> repository.publishRoot(signed)).isInstanceOf(TowlineException.class);

    repository.publishRoot(RootFile.merge(signed, RootFile.sign(draft, other)));

    assertThat(repository.rootIsOffline()).isTrue();
    assertThat(seen().root().version()).isEqualTo(2);
    assertThat(Files.list(temporary.resolve("repository/keys"))).hasSize(3);
    byte[] next = repository.draftRoot(List.of(), 0, true);
    assertThatThrownBy(() -> repository.publishRoot(next)).isInstanceOf(TowlineException.class);
    repository.publishRoot(RootFile.sign(RootFile.sign(next, one), other));
    assertThat(seen().root().version()).isEqualTo(3);
    publish("1.0", Map.of("a", "1"));
    assertThat(current(seen())).isEqualTo("1.0");
  }

  @Test
  void open_crashBetweenRootAndTimestamp_signsAnew() throws Exception {
    publish("1.0", Map.of("a", "1"));
    byte[] draft = repository.draftRoot(List.of(), 0, true);
    repository.close();
    Files.write(temporary.resolve("repository/public/metadata/2.root.json"), draft);

    open();

    assertThat(seen().root().version()).isEqualTo(2);
    assertThat(current(seen())).isEqualTo("1.0");
  }

  private static List<Path> regularFiles(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.copy(file, target);
        }
      }
    }
  }
}
