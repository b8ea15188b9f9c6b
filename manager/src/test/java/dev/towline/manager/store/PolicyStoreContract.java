package dev.towline.manager.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.towline.manager.alerts.Alert;
import dev.towline.manager.alerts.AlertKind;
import dev.towline.manager.alerts.AlertRoute;
import dev.towline.manager.policies.Level;
import dev.towline.manager.policies.PolicyStore;
import dev.towline.proto.v1.HostReport;
import dev.towline.testing.Requirement;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What every store does with policies, and what hosts report of themselves. */
interface PolicyStoreContract extends StoreAccess {
  @Test
  @Requirement("H2")
  default void policyLevel_saved_isReplacedAndKeptAsAVersion() {
    assertThat(many(tx -> tx.policies().levels())).extracting(Level::name).containsExactly("base");
    Level first = level(1, Map.of("a", "1"), "ann");
    Level second = level(2, Map.of("b", "2"), "bob");
    write(tx -> tx.policies().save(first));
    write(tx -> tx.policies().save(second));
    assertThat(one(tx -> tx.policies().find(Level.Kind.POLICY, "web"))).contains(second);
    assertThat(one(tx -> tx.policies().find(Level.Kind.HOST, "web"))).isEmpty();
    assertThat(many(tx -> tx.policies().history(Level.Kind.POLICY, "web")))
        .containsExactly(second, first);
    write(tx -> tx.policies().delete(Level.Kind.POLICY, "web"));
    assertThat(one(tx -> tx.policies().find(Level.Kind.POLICY, "web"))).isEmpty();
    assertThat(store().<Long>read(tx -> tx.policies().lastVersion(Level.Kind.POLICY, "web")))
        .isEqualTo(2);
    assertThat(store().<Long>read(tx -> tx.policies().lastVersion(Level.Kind.HOST, "web")))
        .isZero();
  }

  @Test
  @Requirement("H6")
  default void hostPolicy_sentAndReported_areKeptApart() {
    create(node("n1", "web-1", "web", List.of()));
    ByteString one = ByteString.copyFromUtf8("one");
    ByteString two = ByteString.copyFromUtf8("two");
    assertThat(hostPolicy().reported().isEmpty()).isTrue();
    assertThat(hostPolicy().sent()).isEmpty();
    write(tx -> tx.policies().sent(List.of("n1"), one, 5));
    write(tx -> tx.policies().sent(List.of("n1"), two, 6));
    write(tx -> tx.policies().reported("n1", one));
    assertThat(hostPolicy().reported()).isEqualTo(one);
    assertThat(hostPolicy().sent()).contains(two);
    write(tx -> tx.policies().reported("n1", two));
    assertThat(hostPolicy().sent()).isEmpty();
    write(tx -> tx.policies().sent(List.of("n1"), ByteString.EMPTY, 7));
    assertThat(hostPolicy().sent()).contains(ByteString.EMPTY);
    write(tx -> tx.policies().nothingSent("n1"));
    assertThat(hostPolicy().sent()).isEmpty();
    write(tx -> tx.policies().assign("n1", "web"));
    assertThat(hostPolicy().policy()).isEqualTo("web");
    write(tx -> tx.nodes().revoke("n1", 5, "stolen"));
    assertThat(one(tx -> tx.policies().host("n1"))).isEmpty();
  }

  default PolicyStore.HostPolicy hostPolicy() {
    return one(tx -> tx.policies().host("n1")).orElseThrow();
  }

  static Level level(long version, Map<String, String> settings, String author) {
    return new Level(
        Level.Kind.POLICY,
        "web",
        "base",
        "the web",
        new TreeMap<>(settings),
        version,
        7,
        author,
        "changed");
  }

  @Test
  @Requirement("H1")
  default void hostReports_saved_areTheLatest() {
    create(node("n1", "web-1", "web", List.of()));
    HostReport first = HostReport.newBuilder().setIntervalMs(5000).build();
    HostReport second = first.toBuilder().putCounters("actions.ended", 7).build();
    write(tx -> tx.heartbeats().save(Map.of("n1", first)));
    write(tx -> tx.heartbeats().save(Map.of("n1", second)));
    assertThat(store().<Map<String, HostReport>>read(tx -> tx.heartbeats().reports()))
        .containsExactly(Map.entry("n1", second));
    assertThat(many(tx -> tx.heartbeats().hosts()))
        .extracting(known -> known.name() + " " + known.presence())
        .containsExactly("web-1 NEW");
  }

  @Test
  @Requirement("H3")
  default void alert_openOnce_andClearedOnce() {
    create(node("n1", "web-1", "web", List.of()));
    Alert alert = new Alert(0, AlertKind.AGENT_STOPPED, "n1", "web-1", "gone", 5, 5, 1, 0, "", 0);
    long id = store().<Long>commit(tx -> tx.alerts().raise(alert));
    assertThatThrownBy(() -> write(tx -> tx.alerts().raise(alert))).isNotNull();
    assertThat(one(tx -> tx.alerts().open(AlertKind.AGENT_STOPPED, "n1")).orElseThrow().id())
        .isEqualTo(id);
    assertThat(many(tx -> tx.alerts().single(AlertKind.AGENT_STOPPED, 5))).hasSize(1);
    assertThat(many(tx -> tx.alerts().single(AlertKind.AGENT_STOPPED, 6))).isEmpty();
    write(tx -> tx.alerts().join(id, 99));
    assertThat(store().<Integer>read(tx -> tx.alerts().membersOf(99))).isEqualTo(1);
    assertThat(many(tx -> tx.alerts().list(false, false, "", 0, 9))).isEmpty();
    assertThat(store().<Boolean>commit(tx -> tx.alerts().clear(id, 9, "ann"))).isTrue();
    assertThat(store().<Boolean>commit(tx -> tx.alerts().clear(id, 9, ""))).isFalse();
    assertThat(one(tx -> tx.alerts().open(AlertKind.AGENT_STOPPED, "n1"))).isEmpty();
    assertThat(many(tx -> tx.alerts().standing())).extracting(Alert::id).containsExactly(id);
    long again = store().<Long>commit(tx -> tx.alerts().raise(alert));
    assertThat(again).isGreaterThan(id);
    write(tx -> tx.alertRoutes().save(new AlertRoute("log", "syslog+udp://h", "", 1, 0, "")));
    write(tx -> tx.alertRoutes().send("log", id, "raised", 10));
    write(tx -> tx.alertRoutes().send("log", again, "raised", 11));
    long first = many(tx -> tx.alertRoutes().due(11, 9)).getFirst().id();
    write(tx -> tx.alertRoutes().later(first, 20));
    assertThat(many(tx -> tx.alertRoutes().due(15, 9))).as("waits for the first").isEmpty();
    assertThat(many(tx -> tx.alertRoutes().due(20, 9))).hasSize(2);
    write(tx -> tx.alertRoutes().done(first));
    assertThat(many(tx -> tx.alertRoutes().due(20, 9))).hasSize(1);
    write(tx -> tx.alertRoutes().delete("log"));
    assertThat(many(tx -> tx.alertRoutes().due(20, 9))).isEmpty();
  }
}
