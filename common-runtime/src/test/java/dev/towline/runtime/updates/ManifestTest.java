package dev.towline.runtime.updates;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.testing.Requirement;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ManifestTest {
  private static final String HASH = "0".repeat(64);

  private static Manifest.Entry entry(String path) {
    return new Manifest.Entry(path, 1, HASH, false);
  }

  @ParameterizedTest
  @Requirement("U2")
  @ValueSource(
      strings = {"noext", "a+b", "a%2Bb", "100%25", "with space", "größe/日本", ".hidden", "bin/x"})
  void isSafe_anyUsualName_isTaken(String path) {
    assertThat(Manifest.isSafe(path)).isTrue();
  }

  @ParameterizedTest
  @Requirement("U5")
  @ValueSource(
      strings = {
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        ".",
        "a/./b",
        "a\nb",
        "a\u0000b",
        "\ud800"
      })
  void isSafe_whatLeavesTheTreeOrCannotBeShown_isNotTaken(String path) {
    assertThat(Manifest.isSafe(path)).isFalse();
    assertThatThrownBy(() -> entry(path)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void manifest_samePathTwiceOrFileAndFolder_isRefused() {
    assertThatThrownBy(() -> new Manifest("c", "1", List.of(entry("a"), entry("a"))))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Manifest("c", "1", List.of(entry("a"), entry("a/b"))))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(new Manifest("c", "1", List.of(entry("a"), entry("ab"))).bytes()).isEqualTo(2);
  }
}
