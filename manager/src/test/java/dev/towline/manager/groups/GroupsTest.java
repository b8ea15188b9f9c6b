package dev.towline.manager.groups;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.enrollment.SourceNetworks;
import dev.towline.manager.nodes.HostChange;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.runtime.error.TowlineException;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where hosts stand, and from where they may come. */
final class GroupsTest {
  @TempDir private Path directory;
  private ManagerFixture fixture;

  @BeforeEach
  void start() {
    fixture = new ManagerFixture(directory);
  }

  @AfterEach
  void stop() throws Exception {
    fixture.close();
  }

  private int change(String selector, HostChange change) {
    return fixture.services().hosts().update(Selector.parse(selector), change, 1);
  }

  private List<String> named(String selector) {
    return fixture.services().hosts().list(selector, 0, "").nodes().stream()
        .map(node -> node.name())
        .toList();
  }

  private static HostChange place(String group, String region) {
    return new HostChange(
        Optional.ofNullable(group),
        Optional.ofNullable(region),
        Optional.empty(),
        List.of(),
        List.of());
  }

  @Test
  @Requirement("P11")
  void hosts_moveBetweenGroups_thatAreRenamedWithThem() {
    Groups groups = fixture.services().groups();
    fixture.host("web-1");
    fixture.host("web-2");
    assertThat(groups.list()).extracting(HostGroup::name).containsExactly("web");

    assertThat(change("name=web-1", place("edge", "eu"))).isEqualTo(1);

    assertThat(named("group=edge,region=eu")).containsExactly("web-1");
    assertThat(named("group=web")).containsExactly("web-2");
    HostGroup renamed = groups.rename("edge", "border");
    assertThat(renamed.hosts()).isEqualTo(1);
    assertThat(named("group=border")).containsExactly("web-1");
    assertThatThrownBy(() -> groups.delete("border")).isInstanceOf(TowlineException.class);
    assertThatThrownBy(() -> groups.create("web", "")).isInstanceOf(TowlineException.class);
    assertThatThrownBy(() -> groups.create("a,b=c", "")).isInstanceOf(TowlineException.class);
    change("all", place("web", null));
    groups.delete("border");
    assertThat(groups.list()).extracting(HostGroup::name).containsExactly("web");
  }

  @Test
  @Requirement("P11")
  void tags_areAddedAndRemoved() {
    fixture.host("web-1");

    change(
        "all",
        new HostChange(
            Optional.empty(),
            Optional.empty(),
            Optional.of("acme"),
            List.of("pci", "trial"),
            List.of("blue")));

    assertThat(named("tag=pci,tag=trial,provider=acme")).containsExactly("web-1");
    assertThat(named("tag=blue")).isEmpty();
  }

  @Test
  @Requirement("I1")
  void sourceNetworks_coverWhatTheySay() {
    var networks = SourceNetworks.of(List.of("10.1.0.0/16", "fd00:1::/32", "192.0.2.7"));

    for (String inside : List.of("10.1.2.3", "fd00:1::9", "[fd00:1::9]", "192.0.2.7")) {
      assertThat(networks.allows(inside)).as(inside).isTrue();
    }
    for (String outside : List.of("10.2.0.1", "fd00:2::9", "192.0.2.8", "", "host.example")) {
      assertThat(networks.allows(outside)).as(outside).isFalse();
    }
    assertThat(SourceNetworks.ANY.allows("anything")).isTrue();
    for (String wrong : List.of("10.0.0.0/33", "example.org", "10.0.0.0/", "/8", "1.2.3/8x")) {
      assertThatThrownBy(() -> SourceNetworks.of(List.of(wrong)))
          .as(wrong)
          .isInstanceOf(TowlineException.class);
    }
  }
}
