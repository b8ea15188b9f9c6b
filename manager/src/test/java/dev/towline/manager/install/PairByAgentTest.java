package dev.towline.manager.install;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.programs.ProgramInstalls;
import dev.towline.manager.relays.Relays.NewPair;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.InstallProgram;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.PairedRelays;
import dev.towline.runtime.error.TowlineException;
import dev.towline.testing.Requirement;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Hosts with an agent become relays by directive, with scripted agents (R5). */
final class PairByAgentTest {
  private static final String PACKAGE = "towline-relay-9.0-linux-x86_64.tar.gz";

  @TempDir private Path directory;
  @TempDir private Path packages;

  private ManagerFixture fixture;
  private InstallCommands commands;

  @BeforeEach
  void start() throws Exception {
    fixture = new ManagerFixture(directory);
    Files.writeString(packages.resolve(PACKAGE), "the package");
    var services = fixture.services();
    commands =
        new InstallCommands(
            services.store(),
            services.tokens(),
            services.proxyClusters(),
            services.relays(),
            services.fleet(),
            new Packages(List.of(packages)),
            services.programs(),
            new InstallCommands.Addresses(List.of("m.example"), 7443, 8443, 8080),
            _ -> InstallSource.NONE,
            services.clock());
  }

  @AfterEach
  void stop() throws Exception {
    fixture.close();
  }

  private PairedRelays pair(String parent, String child, boolean byHand) {
    return commands.pair(
        new NewPair(parent, child, "", "192.0.2.7", 0, 0, 0, Duration.ofHours(1), "test"), byHand);
  }

  private static InstallProgram take(FakeNode.Session session, Outcome outcome) throws Exception {
    var taken = session.takeDirective();
    session.accept(taken.directive());
    session.result(taken.directive(), outcome, "", "no room");
    return DirectiveContent.parseFrom(taken.signed().getContent()).getInstallProgram();
  }

  @Test
  @Requirement("R5")
  void pair_bothHostsHaveAgents_areToldToInstall_andNothingIsLeftToDo() throws Exception {
    var parent = fixture.host("hq").connect();
    var child = fixture.host("dmz").connect();

    PairedRelays paired = pair("hq", "dmz", false);

    assertThat(paired.hasParent() || paired.hasChild()).isFalse();
    assertThat(paired.getStepsList()).hasSize(2).allMatch(step -> step.contains("was told"));
    InstallProgram asParent = take(parent, Outcome.OUTCOME_SUCCEEDED);
    assertThat(asParent.getProgram()).isEqualTo("relay");
    assertThat(asParent.getScript())
        .contains("package=" + PACKAGE, "https://m.example:8443", "m.example:7443")
        .containsPattern("(?m)^package_sha256=[0-9a-f]{64}$")
        .containsPattern("(?m)^dialled=$")
        .doesNotContain(asParent.getSecret());
    InstallProgram asChild = take(child, Outcome.OUTCOME_SUCCEEDED);
    assertThat(asChild.getScript())
        .contains("127.0.0.1:52312", "https://m.example:8443")
        .containsPattern("(?m)^dialled=yes$");
    assertThat(asChild.getSecret()).isNotEmpty().isNotEqualTo(asParent.getSecret());
    assertThat(fixture.event(ProgramInstalls.INSTALLED).detail()).isEqualTo("towline-relay 9.0");
  }

  @Test
  @Requirement("R5")
  void pair_agentFails_isAnEventThatSaysWhy() throws Exception {
    FakeNode child = fixture.host("dmz");
    var session = child.connect();

    PairedRelays paired = pair("hq", child.id(), false);
    take(session, Outcome.OUTCOME_FAILED);

    assertThat(paired.hasParent()).as("no agent there").isTrue();
    assertThat(fixture.event(ProgramInstalls.FAILED).detail())
        .isEqualTo("towline-relay 9.0: no room");
    assertThat(fixture.services().relays().relay("dmz").child()).isTrue();
  }

  @Test
  @Requirement("R5")
  void pair_byHand_orAmbiguousName_tellsNoAgent() {
    fixture.host("dmz");
    assertThat(pair("hq", "dmz", true).hasChild()).isTrue();

    var again = fixture.facts("dmz").toBuilder().setMachineId("another").build();
    fixture.node(fixture.enrolled(fixture.token(0), again), again);

    assertThatThrownBy(() -> pair("hq", "dmz", false))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("2 hosts have it");
  }
}
