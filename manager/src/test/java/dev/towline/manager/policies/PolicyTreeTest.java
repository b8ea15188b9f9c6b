package dev.towline.manager.policies;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.policies.PolicyTree.Effective;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Inheritance, without a store. */
@Requirement("H2")
final class PolicyTreeTest {
  private static final String INTERVAL = EffectivePolicy.HEARTBEAT_INTERVAL;
  private static final String MISSED = Catalogue.MISSED_BEFORE_ALERT;

  private final Catalogue catalogue = new Catalogue(Duration.ofSeconds(60), "");

  @Test
  void files_ofSettings_areAbsolutePathsOrNone() {
    var type = catalogue.find(EffectivePolicy.LOG_FILES).orElseThrow().type();
    assertThat(type.canonical("/var/log/a, /var/log/b,/var/log/a"))
        .contains("/var/log/a,/var/log/b");
    assertThat(type.canonical("none")).contains("none");
    assertThat(type.canonical("var/log/a")).isEmpty();
    assertThat(type.canonical("/a,")).isEmpty();
    assertThat(type.canonical("/a\nb")).isEmpty();
    assertThat(EffectivePolicy.files("/a,/b")).containsExactly("/a", "/b");
    assertThat(EffectivePolicy.files("none")).isEmpty();
  }

  @Test
  void value_setOnSeveralLevels_comesFromTheNearest() {
    PolicyTree tree =
        tree(
            policy("base", "", Map.of(INTERVAL, "30s", MISSED, "1")),
            policy("web", "base", Map.of(INTERVAL, "10s")),
            policy("web-eu", "web", Map.of()),
            host("h1", Map.of(MISSED, "unlimited")));
    assertThat(effective(tree, "h1", "web-eu", INTERVAL)).isEqualTo("10s from policy web");
    assertThat(effective(tree, "h1", "web-eu", MISSED)).isEqualTo("unlimited from host");
    assertThat(effective(tree, "h2", "web-eu", MISSED)).isEqualTo("1 from policy base");
    assertThat(effective(tree, "h2", "web-eu", Catalogue.CLOCK_CHANGE)).isEqualTo("5 from default");
    for (String setting : List.of(INTERVAL, MISSED, Catalogue.CLOCK_CHANGE)) {
      assertThat(effective(tree, "h1", "web-eu", setting))
          .startsWith(tree.value("h1", "web-eu", setting) + " from");
    }
  }

  @Test
  void policy_unknownToTheTree_countsAsBase() {
    PolicyTree tree = tree(policy("base", "", Map.of(INTERVAL, "30s")));
    assertThat(effective(tree, "h1", "gone", INTERVAL)).isEqualTo("30s from policy base");
    assertThat(effective(tree, "h1", "", INTERVAL)).isEqualTo("30s from policy base");
  }

  @Test
  @Requirement("H6")
  void fingerprint_changesWithWhatTheHostGoesBy_only() {
    PolicyTree nothing = tree(policy("base", "", Map.of()));
    PolicyTree manager = tree(policy("base", "", Map.of(MISSED, "7")));
    PolicyTree above = tree(policy("base", "", Map.of(INTERVAL, "30s")));
    PolicyTree own = tree(host("h1", Map.of(INTERVAL, "30s")));
    assertThat(nothing.forHost("h1", "").fingerprint().isEmpty()).isTrue();
    assertThat(manager.forHost("h1", "").fingerprint())
        .isEqualTo(nothing.forHost("h1", "").fingerprint());
    assertThat(above.forHost("h1", "").fingerprint())
        .isNotEqualTo(nothing.forHost("h1", "").fingerprint())
        .isEqualTo(own.forHost("h1", "").fingerprint());
  }

  @Test
  @Requirement("H2")
  void interval_range_isFiveSecondsToADay() {
    assertThat(changed(INTERVAL, "5s")).containsEntry(INTERVAL, "5s");
    assertThat(changed(INTERVAL, "24h")).containsEntry(INTERVAL, "24h");
    assertThat(changed(INTERVAL, "90s")).containsEntry(INTERVAL, "90s");
    assertThat(changed(INTERVAL, "120s")).containsEntry(INTERVAL, "2m");
    for (String wrong : List.of("4s", "4999ms", "86401s", "25h", "fast", "", "-5s", "60")) {
      assertThatThrownBy(() -> changed(INTERVAL, wrong))
          .as(wrong)
          .hasMessageContaining("heartbeat.interval: " + wrong + " (expected: 5s to 24h");
    }
  }

  @Test
  void changes_severalWrong_areAllNamedAtOnce() {
    assertThatThrownBy(
            () -> catalogue.changed(Map.of(), Map.of(MISSED, "-1", "heartbeat.intervall", "5s")))
        .hasMessageContaining(MISSED + ": -1 (expected: 0 to")
        .hasMessageContaining("setting: heartbeat.intervall (expected: one of heartbeat.interval");
  }

  @Test
  void inherited_takesAValueAway() {
    assertThat(catalogue.changed(Map.of(MISSED, "0"), Map.of(MISSED, Catalogue.INHERITED)))
        .isEmpty();
    // Of a version that knew more settings than this one.
    assertThat(catalogue.changed(Map.of("old", "x"), Map.of("old", Catalogue.INHERITED))).isEmpty();
  }

  private Map<String, String> changed(String name, String value) {
    return catalogue.changed(Map.of(), Map.of(name, value));
  }

  private PolicyTree tree(Level... levels) {
    return new PolicyTree(catalogue, List.of(levels));
  }

  private static String effective(PolicyTree tree, String host, String policy, String setting) {
    Effective found =
        tree.effective(host, policy).stream()
            .filter(e -> e.setting().name().equals(setting))
            .findFirst()
            .orElseThrow();
    return found.value() + " from " + found.level();
  }

  private static Level policy(String name, String parent, Map<String, String> settings) {
    return new Level(
        Level.Kind.POLICY, name, parent, "", new TreeMap<>(settings), 1, 0, "test", "");
  }

  private static Level host(String id, Map<String, String> settings) {
    return new Level(Level.Kind.HOST, id, "", "", new TreeMap<>(settings), 1, 0, "test", "");
  }
}
