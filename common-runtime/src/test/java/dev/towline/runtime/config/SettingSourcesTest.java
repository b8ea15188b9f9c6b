package dev.towline.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import dev.towline.runtime.error.TowlineException;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("T3")
final class SettingSourcesTest {
  private final Map<String, String> builtIn = new LinkedHashMap<>();

  @TempDir private Path directory;
  private Path file;

  @BeforeEach
  void settings() {
    file = directory.resolve("x.yaml");
    List.of("data", "name", "log-files", "port").forEach(key -> builtIn.put(key, "-"));
  }

  @Test
  void resolve_severalSources_theNearestCountsAndIsNamed() throws IOException {
    Files.writeString(file, "data: /f\nname: f\nlog-files: [/a, /b]\n");

    Map<String, SettingValue> settings =
        sources(Map.of("TOWLINE_X_DATA", "/e", "TOWLINE_X_LOG_FILES", "/e"))
            .resolve(Map.of("data", "/c"), builtIn);

    assertThat(settings)
        .containsExactly(
            entry("data", new SettingValue("/c", "command line")),
            entry("name", new SettingValue("f", "file " + file)),
            entry("log-files", new SettingValue("/e", "environment TOWLINE_X_LOG_FILES")),
            entry("port", new SettingValue("-", "default")));
    assertThat(settings.values())
        .extracting(SettingValue::kind)
        .containsExactly("command line", "file", "environment", "default");
  }

  @Test
  void find_listInTheFile_isItsItemsWithCommas() throws IOException {
    Files.writeString(file, "log-files: [/a, /b]\n");

    assertThat(sources(Map.of()).find("log-files"))
        .contains(new SettingValue("/a,/b", "file " + file));
    assertThat(sources(Map.of()).find("port")).isEmpty();
  }

  @Test
  void file_unknownKeys_areAllNamed() throws IOException {
    Files.writeString(file, "nmae: x\nprot: 1\n");

    assertThatThrownBy(() -> sources(Map.of()))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("unknown key: nmae (expected: one of [data, name, log-files, port])")
        .hasMessageContaining("unknown key: prot");
  }

  @Test
  void file_notAMap_isRefused_andCommentsOnlyAreNoSettings() throws IOException {
    Files.writeString(file, "just a word\n");
    assertThatThrownBy(() -> sources(Map.of())).hasMessageContaining("not a map of keys to values");

    Files.writeString(file, "# nothing\n");
    assertThat(sources(Map.of()).find("name")).isEmpty();
  }

  @Test
  void file_notThere_isSaidWithTheRemedy() {
    assertThatThrownBy(() -> sources(Map.of()))
        .isInstanceOfSatisfying(
            TowlineException.class,
            e ->
                assertThat(e.explanation())
                    .contains("can't be read: " + file, "name another with --config"));
  }

  private SettingSources sources(Map<String, String> environment) {
    return new SettingSources("x", builtIn.keySet(), environment, Optional.of(file));
  }
}
