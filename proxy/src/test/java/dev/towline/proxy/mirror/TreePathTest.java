package dev.towline.proxy.mirror;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Requirement({"U1", "U2"})
class TreePathTest {
  private static final String HASH = "ab" + "0".repeat(62);

  @Test
  void parse_filesOfAnyTree_areContent() {
    assertThat(TreePath.parse("/updates/files/ab/" + HASH))
        .isEqualTo(new TreePath.Content("/updates/", HASH));
    assertThat(TreePath.parse("/files/files/ab/" + HASH))
        .isEqualTo(new TreePath.Content("/files/", HASH));
    assertThat(TreePath.parse("/a/b/targets/manifests/" + HASH + ".rules%2B1-2.json"))
        .isEqualTo(new TreePath.Content("/a/b/", HASH));
  }

  @Test
  void parse_metadata_isKnownByItsName() {
    assertThat(TreePath.parse("/updates/metadata/timestamp.json"))
        .isEqualTo(new TreePath.Metadata("/updates/", "timestamp.json"));
    assertThat(TreePath.parse("/updates/metadata/12.root.json"))
        .isInstanceOfSatisfying(
            TreePath.Metadata.class, metadata -> assertThat(metadata.isRoot()).isTrue());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/updates/content/rules/1.0/files/ab/ab00000000000000000000000000000000000000000000000000000000000000",
        "/updates/content/rules/1.0/metadata/timestamp.json",
        "/updates/files/cd/ab00000000000000000000000000000000000000000000000000000000000000",
        "/updates/files/ab/AB00000000000000000000000000000000000000000000000000000000000000",
        "/updates/metadata/root.json",
        "/updates/../metadata/timestamp.json",
        "/metadata/timestamp.json",
        "/updates/"
      })
  void parse_anythingElse_isLeftToTheManager(String path) {
    assertThat(TreePath.parse(path)).isEqualTo(new TreePath.Other());
  }
}
