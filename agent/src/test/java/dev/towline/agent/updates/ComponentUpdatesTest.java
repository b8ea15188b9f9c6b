package dev.towline.agent.updates;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.ComponentReport;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.policy.UpdatePolicy;
import dev.towline.runtime.updates.PartialFile;
import dev.towline.runtime.updates.RepositoryPaths;
import dev.towline.runtime.updates.RepositorySource;
import dev.towline.runtime.updates.TestRepository;
import dev.towline.runtime.updates.TransferPace;
import dev.towline.runtime.updates.UpdateRefused;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("U4")
class ComponentUpdatesTest {
  private static final Instant START = Instant.parse("2026-11-23T12:00:00Z");

  @TempDir private Path temporary;
  private final Map<String, RepositorySource> sources = new HashMap<>();
  private TestRepository repository;
  private Instant now = START;

  @BeforeEach
  void publish() {
    repository = new TestRepository(START);
    repository.publishRoot(List.of());
    release("1.0", Map.of("rules", "one", "bin/tool", "#!", "same", "same"));
    sources.put("http://first/", repository);
  }

  private void release(String version, Map<String, String> files) {
    Map<String, byte[]> contents = new HashMap<>();
    files.forEach((path, text) -> contents.put(path, text.getBytes(StandardCharsets.UTF_8)));
    repository.release("rules", version, contents);
    repository.publish();
  }

  private ComponentUpdates updates() {
    return new ComponentUpdates(
        temporary.resolve("data"),
        () -> now,
        (address, _) ->
            Optional.ofNullable(sources.get(address))
                .orElseThrow(() -> new IllegalArgumentException(address)));
  }

  private UpdatePolicy policy(String further) {
    return UpdatePolicy.of(
        new EffectivePolicy(
            Map.of(
                UpdatePolicy.COMPONENTS,
                "rules=" + directory(),
                UpdatePolicy.SOURCE,
                "http://first/",
                UpdatePolicy.FURTHER_SOURCES,
                further,
                UpdatePolicy.ROOT,
                repository.pin())));
  }

  private Path directory() {
    return temporary.resolve("host/rules");
  }

  private ComponentReport look(ComponentUpdates updates, String further) throws Exception {
    boolean current = updates.look(policy(further));
    ComponentReport report = updates.report().getComponents(0);
    assertThat(current).isEqualTo(report.getDetail().isEmpty());
    return report;
  }

  private ComponentReport look() throws Exception {
    return look(updates(), "none");
  }

  @Test
  @Requirement({"U3", "U4"})
  void look_firstTime_putsFilesInPlace() throws Exception {
    ComponentReport report = look();

    assertThat(report.getDetail()).isEmpty();
    assertThat(report.getVersion()).isEqualTo("1.0");
    assertThat(report.getSource()).isEqualTo("test");
    assertThat(report.getAppliedMs()).isEqualTo(START.toEpochMilli());
    assertThat(directory().resolve("rules")).hasContent("one");
    assertThat(directory().resolve("bin/tool")).isExecutable();
    assertThat(Files.isExecutable(directory().resolve("rules"))).isFalse();
  }

  @Test
  void look_laterVersion_fetchesOnlyWhatIsNew() throws Exception {
    look();
    release("1.1", Map.of("rules", "two", "same", "same"));
    repository.asked().clear();

    assertThat(look().getVersion()).isEqualTo("1.1");

    assertThat(directory().resolve("rules")).hasContent("two");
    assertThat(directory().resolve("bin/tool")).doesNotExist();
    assertThat(repository.asked().stream().filter(path -> path.startsWith(RepositoryPaths.FILES)))
        .hasSize(1);
  }

  @Test
  void look_nothingNew_asksForMetadataOnly() throws Exception {
    look();
    repository.asked().clear();

    assertThat(look().getVersion()).isEqualTo("1.0");

    assertThat(repository.asked()).hasSize(2).allMatch(path -> path.startsWith("metadata/"));
  }

  @Test
  void look_afterARestart_knowsWhatIsThere() throws Exception {
    look();
    ComponentUpdates restarted = updates();

    restarted.remember(policy("none"));

    assertThat(restarted.report().getComponents(0).getVersion()).isEqualTo("1.0");
  }

  @Test
  void look_fileChangedOnTheHost_isFetchedAnewWithTheNextVersion() throws Exception {
    look();
    Files.writeString(directory().resolve("same"), "changed by somebody");
    release("1.1", Map.of("same", "same"));

    look();

    assertThat(directory().resolve("same")).hasContent("same");
  }

  @Test
  @Requirement("U3")
  void look_firstSourceFails_asksTheNextAndComesBack() throws Exception {
    sources.put("http://second/", repository);
    sources.put("http://first/", new Failing(repository, Integer.MAX_VALUE));
    assertThat(look(updates(), "http://second/").getDetail()).isEmpty();

    sources.put("http://first/", repository);
    sources.put("http://second/", new Failing(repository, Integer.MAX_VALUE));
    release("1.1", Map.of("rules", "two"));

    assertThat(look(updates(), "http://second/").getVersion()).isEqualTo("1.1");
  }

  @Test
  @Requirement("U5")
  void look_olderPublicationAtTheNextSource_isRefused() throws Exception {
    look();
    release("1.1", Map.of("rules", "two"));
    look();
    var replayed = new Replaying(repository, 1);
    sources.put("http://first/", new Failing(repository, Integer.MAX_VALUE));
    sources.put("http://second/", replayed);

    ComponentReport report = look(updates(), "http://second/");

    assertThat(report.getDetail()).contains("rolled-back");
    assertThat(report.getVersion()).isEqualTo("1.1");
    assertThat(directory().resolve("rules")).hasContent("two");
  }

  @Test
  @Requirement("U5")
  void look_tamperedFile_isRefusedAndTheOldOneStays() throws Exception {
    look();
    release("1.1", Map.of("rules", "two"));
    String path =
        repository.paths().stream()
            .filter(p -> p.startsWith(RepositoryPaths.FILES))
            .filter(p -> repository.text(p).equals("two"))
            .findFirst()
            .orElseThrow();
    repository.put(path, "twO".getBytes(StandardCharsets.UTF_8));

    ComponentReport report = look();

    assertThat(report.getDetail()).contains("tampered");
    assertThat(report.getVersion()).isEqualTo("1.0");
    assertThat(directory().resolve("rules")).hasContent("one");
    repository.put(path, "two".getBytes(StandardCharsets.UTF_8));
    assertThat(look().getVersion()).isEqualTo("1.1");
  }

  @Test
  void look_sourceBreaksOff_goesOnAtTheNextLook() throws Exception {
    sources.put("http://first/", new Failing(repository, 2));
    ComponentReport report = look();
    assertThat(report.getDetail()).contains("broken");
    assertThat(directory()).doesNotExist();

    sources.put("http://first/", repository);

    assertThat(look().getVersion()).isEqualTo("1.0");
  }

  @Test
  @Requirement("U5")
  void look_expiredRepository_keepsWhatIsThere() throws Exception {
    look();
    now = START.plus(Duration.ofDays(3650));

    ComponentReport report = look();

    assertThat(report.getDetail()).contains("expired");
    assertThat(report.getVersion()).isEqualTo("1.0");
    assertThat(directory().resolve("rules")).hasContent("one");
    now = START;
    assertThat(look().getDetail()).isEmpty();
  }

  @Test
  void look_directoryOfSomebodyElse_isLeftAlone() throws Exception {
    Files.createDirectories(directory());
    Files.writeString(directory().resolve("mine"), "mine");

    assertThat(look().getDetail()).contains("not of Towline's making");

    assertThat(directory().resolve("mine")).hasContent("mine");
  }

  @Test
  void look_emptyDirectory_isTaken() throws Exception {
    Files.createDirectories(directory());

    assertThat(look().getDetail()).isEmpty();
  }

  @Test
  void look_manyVersions_keepsTheOneBefore() throws Exception {
    for (int i = 1; i < 6; i++) {
      release("1." + i, Map.of("rules", "text " + i));
      look();
    }

    try (var versions = Files.list(temporary.resolve("host/.rules.towline"))) {
      assertThat(versions).hasSize(2);
    }
  }

  @Test
  void look_withoutSourceOrRoot_saysSo() throws Exception {
    ComponentUpdates updates = updates();
    updates.look(
        UpdatePolicy.of(
            new EffectivePolicy(Map.of(UpdatePolicy.COMPONENTS, "rules=" + directory()))));

    assertThat(updates.report().getComponents(0).getDetail()).contains("updates.root");
  }

  /** Breaks off after some files. */
  private static final class Failing implements RepositorySource {
    private final RepositorySource source;
    private int filesLeft;
    private final boolean never;

    Failing(RepositorySource source, int files) {
      this.source = source;
      this.filesLeft = files;
      this.never = files == Integer.MAX_VALUE;
    }

    @Override
    public String name() {
      return "failing";
    }

    @Override
    public Optional<byte[]> fetch(String path, long limit) throws IOException, UpdateRefused {
      if (never) {
        throw new IOException("broken");
      }
      return source.fetch(path, limit);
    }

    @Override
    public void copy(String path, PartialFile file, TransferPace pace)
        throws IOException, UpdateRefused, InterruptedException {
      if (filesLeft-- <= 0) {
        file.write(ByteBuffer.wrap(new byte[0]));
        throw new IOException("broken");
      }
      source.copy(path, file, pace);
    }
  }

  /** Shows the timestamp of an earlier publication for ever. */
  private static final class Replaying implements RepositorySource {
    private final TestRepository source;
    private final long version;

    Replaying(TestRepository source, long version) {
      this.source = source;
      this.version = version;
    }

    @Override
    public String name() {
      return "replaying";
    }

    @Override
    public Optional<byte[]> fetch(String path, long limit) {
      return path.equals("metadata/timestamp.json")
          ? Optional.of(source.earlierTimestamp(version))
          : source.fetch(path, limit);
    }

    @Override
    public void copy(String path, PartialFile file, TransferPace pace)
        throws IOException, UpdateRefused {
      source.copy(path, file, pace);
    }
  }
}
