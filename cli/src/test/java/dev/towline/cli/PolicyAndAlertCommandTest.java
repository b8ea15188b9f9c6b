package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.login.LoginStore;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.ClearAlertRequest;
import dev.towline.proto.v1.ListAlertsRequest;
import dev.towline.proto.v1.PolicyDocument;
import dev.towline.proto.v1.SetAlertRouteRequest;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.testing.Requirement;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement({"H2", "H3", "H4"})
final class PolicyAndAlertCommandTest {
  private static final InstantSource CLOCK =
      InstantSource.fixed(Instant.ofEpochMilli(1_000_000_000_000L));

  @TempDir private Path directory;
  private FakeAdmin manager;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @BeforeEach
  void start() throws IOException {
    manager = new FakeAdmin(CLOCK);
    Path password = Files.writeString(directory.resolve("password"), FakeAdmin.PASSWORD + "\n");
    assertThat(
            towline(
                "login",
                "https://manager:8444",
                "--password-file",
                password.toString(),
                "--ca-fingerprint",
                Fingerprints.of(manager.chain.getLast())))
        .isZero();
    out.reset();
  }

  @AfterEach
  void stop() {
    manager.close();
  }

  @Test
  void set_severalValuesOfAHost_areOneChange() {
    assertThat(
            towline(
                "policies",
                "set",
                "--host",
                "web-1",
                "heartbeat.interval=30s",
                "connection.direction=inherited"))
        .isZero();
    ChangeSettingsRequest asked = (ChangeSettingsRequest) manager.received.getLast();
    assertThat(asked.getHost()).isEqualTo("web-1");
    assertThat(asked.getSetMap())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of("heartbeat.interval", "30s", "connection.direction", "inherited"));
    assertThat(text()).contains("host web-1", "1m", "30s", "Values changed on 1 host");
  }

  @Test
  void diff_saysWhatWouldChange_applyWhatDid() throws IOException {
    Path file = Files.writeString(directory.resolve("p.yaml"), "policies: {}\n");
    assertThat(towline("diff", "-f", file.toString())).isZero();
    assertThat(text()).contains("would change on 1 host", "would be told");
    out.reset();
    assertThat(towline("apply", "-f", file.toString())).isZero();
    assertThat(text()).contains("changed on 1 host", "are told").doesNotContain("would");
    assertThat(((PolicyDocument) manager.received.getLast()).getYaml()).isEqualTo("policies: {}\n");
  }

  @Test
  void apply_fileThatIsNotThere_saysSo() {
    assertThat(towline("apply", "-f", directory.resolve("none").toString()))
        .isNotEqualTo(ExitCodes.OK);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("none", "try:");
  }

  @Test
  void explain_showsEachValueAndItsLevel() {
    assertThat(towline("policy", "explain", "web-1")).isZero();
    assertThat(text()).contains("connection.direction", "manager-initiated", "policy web");
  }

  @Test
  void history_showsWhoChangedWhat() {
    assertThat(towline("policies", "history", "web")).isZero();
    assertThat(text()).contains("ann", "heartbeat.interval: inherited -> 30s");
  }

  @Test
  void alertsList_showsThemOrThatThereAreNone() {
    assertThat(towline("alerts", "list", "--all", "--members")).isZero();
    assertThat(text())
        .contains("17", "clock-changed", "web-1", "1m ago", "open, to be cleared by hand");
    ListAlertsRequest asked = (ListAlertsRequest) manager.received.getLast();
    assertThat(asked.getAll() && asked.getMembers()).isTrue();
    out.reset();
    assertThat(towline("alerts", "list", "--host", "quiet")).isZero();
    assertThat(text()).isEqualTo("No open alerts.\n");
  }

  @Test
  void alertsShow_asJson_isTheWholeAlert() {
    assertThat(towline("alerts", "show", "17", "-o", "json")).isZero();
    assertThat(text()).contains("\"kind\"", "clock-changed");
  }

  @Test
  void alertsClear_several_clearsEach() {
    assertThat(towline("alerts", "clear", "17", "18")).isZero();
    assertThat(manager.received.stream().filter(ClearAlertRequest.class::isInstance)).hasSize(2);
    assertThat(text()).contains("Alert 17 is cleared by ann.", "Alert 18 is cleared by ann.");
  }

  @Test
  void alertsRoute_passwordOnlyFromAFile() throws IOException {
    Path token = Files.writeString(directory.resolve("token"), "s3cret\n");
    assertThat(
            towline(
                "alerts",
                "route",
                "chat",
                "https://chat.example/hooks/1",
                "--password-file",
                token.toString()))
        .isZero();
    assertThat(((SetAlertRouteRequest) manager.received.getLast()).getPassword())
        .isEqualTo("s3cret");
    assertThat(text()).contains("https://chat.example/hooks/1").doesNotContain("s3cret");
    out.reset();
    assertThat(towline("alerts", "routes")).isZero();
    assertThat(text()).contains("chat", "answer 500");
  }

  private String text() {
    return out.toString(StandardCharsets.UTF_8);
  }

  private int towline(String... args) {
    var context =
        new CliContext(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            Map.of(),
            CLOCK,
            new LoginStore(directory.resolve("config")),
            manager,
            new NobodyThere());
    return TowlineCommand.run(context, args);
  }

  private static final class NobodyThere implements Terminal {
    @Override
    public boolean isPresent() {
      return false;
    }

    @Override
    public Optional<String> ask(String question) {
      return Optional.empty();
    }

    @Override
    public Optional<String> askSecret(String question) {
      return Optional.empty();
    }
  }
}
