package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.cli.error.ExitCodes;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.ClearAlertRequest;
import dev.towline.proto.v1.ListAlertsRequest;
import dev.towline.proto.v1.PolicyDocument;
import dev.towline.proto.v1.SetAlertRouteRequest;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement({"H2", "H3", "H4"})
final class PolicyAndAlertCommandTest {
  @TempDir private Path directory;
  private TestCli towline;

  @BeforeEach
  void signIn() throws IOException {
    towline = TestCli.signedIn(directory);
  }

  @AfterEach
  void stop() {
    towline.close();
  }

  @Test
  void set_severalValuesOfAHost_areOneChange() {
    assertThat(
            towline.run(
                "policies",
                "set",
                "--host",
                "web-1",
                "heartbeat.interval=30s",
                "connection.direction=inherited"))
        .isZero();
    ChangeSettingsRequest asked = (ChangeSettingsRequest) towline.manager.received.getLast();
    assertThat(asked.getHost()).isEqualTo("web-1");
    assertThat(asked.getSetMap())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of("heartbeat.interval", "30s", "connection.direction", "inherited"));
    assertThat(towline.output()).contains("host web-1", "1m", "30s", "Values changed on 1 host");
  }

  @Test
  void diff_saysWhatWouldChange_applyWhatDid() throws IOException {
    Path file = Files.writeString(directory.resolve("p.yaml"), "policies: {}\n");
    assertThat(towline.run("diff", "-f", file.toString())).isZero();
    assertThat(towline.output()).contains("would change on 1 host", "would be told");
    towline.forget();
    assertThat(towline.run("apply", "-f", file.toString())).isZero();
    assertThat(towline.output()).contains("changed on 1 host", "are told").doesNotContain("would");
    assertThat(((PolicyDocument) towline.manager.received.getLast()).getYaml())
        .isEqualTo("policies: {}\n");
  }

  @Test
  void apply_fileThatIsNotThere_saysSo() {
    assertThat(towline.run("apply", "-f", directory.resolve("none").toString()))
        .isNotEqualTo(ExitCodes.OK);
    assertThat(towline.errors()).contains("none", "try:");
  }

  @Test
  void explain_showsEachValueAndItsLevel() {
    assertThat(towline.run("policy", "explain", "web-1")).isZero();
    assertThat(towline.output())
        .contains("connection.direction", "manager-initiated", "policy web");
  }

  @Test
  void history_showsWhoChangedWhat() {
    assertThat(towline.run("policies", "history", "web")).isZero();
    assertThat(towline.output()).contains("ann", "heartbeat.interval: inherited -> 30s");
  }

  @Test
  void alertsList_showsThemOrThatThereAreNone() {
    assertThat(towline.run("alerts", "list", "--all", "--members")).isZero();
    assertThat(towline.output())
        .contains("17", "clock-changed", "web-1", "1m ago", "open, to be cleared by hand");
    ListAlertsRequest asked = (ListAlertsRequest) towline.manager.received.getLast();
    assertThat(asked.getAll() && asked.getMembers()).isTrue();
    towline.forget();
    assertThat(towline.run("alerts", "list", "--host", "quiet")).isZero();
    assertThat(towline.output()).isEqualTo("No open alerts.\n");
  }

  @Test
  void alertsShow_asJson_isTheWholeAlert() {
    assertThat(towline.run("alerts", "show", "17", "-o", "json")).isZero();
    assertThat(towline.output()).contains("\"kind\"", "clock-changed");
  }

  @Test
  void alertsClear_several_clearsEach() {
    assertThat(towline.run("alerts", "clear", "17", "18")).isZero();
    assertThat(towline.manager.received.stream().filter(ClearAlertRequest.class::isInstance))
        .hasSize(2);
    assertThat(towline.output())
        .contains("Alert 17 is cleared by ann.", "Alert 18 is cleared by ann.");
  }

  @Test
  void alertsRoute_passwordOnlyFromAFile() throws IOException {
    Path token = Files.writeString(directory.resolve("token"), "s3cret\n");
    assertThat(
            towline.run(
                "alerts",
                "route",
                "chat",
                "https://chat.example/hooks/1",
                "--password-file",
                token.toString()))
        .isZero();
    assertThat(((SetAlertRouteRequest) towline.manager.received.getLast()).getPassword())
        .isEqualTo("s3cret");
    assertThat(towline.output()).contains("https://chat.example/hooks/1").doesNotContain("s3cret");
    towline.forget();
    assertThat(towline.run("alerts", "routes")).isZero();
    assertThat(towline.output()).contains("chat", "answer 500");
  }
}
