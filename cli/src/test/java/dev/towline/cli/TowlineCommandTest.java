package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.login.LoginStore;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.ControlHostFirewallRequest;
import dev.towline.proto.v1.EnrollCloneRequest;
import dev.towline.proto.v1.FirewallPacket;
import dev.towline.proto.v1.ReleaseHostRequest;
import dev.towline.proto.v1.RevokeHostRequest;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.testing.Requirement;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Command lines against a manager that is faked behind the real admin services. */
final class TowlineCommandTest {
  private static final InstantSource CLOCK =
      InstantSource.fixed(Instant.ofEpochMilli(1_000_000_000_000L));

  @TempDir private Path directory;
  private FakeAdmin manager;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private String answer = "y";

  @BeforeEach
  void start() throws IOException {
    manager = new FakeAdmin(CLOCK);
  }

  @AfterEach
  void stop() {
    manager.close();
  }

  @Test
  @Requirement("T3")
  void login_confirmedFingerprint_storesTokenForOwnerOnly() throws IOException {
    assertThat(login()).isZero();

    assertThat(out.toString(StandardCharsets.UTF_8)).contains("Signed in", "12h", "password");
    Path file = directory.resolve("config/login.json");
    assertThat(file).content().contains("t0k3n").doesNotContain(FakeAdmin.PASSWORD);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
  }

  @Test
  @Requirement("T3")
  void login_fingerprintNotConfirmed_isRefusedBeforeThePasswordIsSent() {
    answer = "n";

    assertThat(login()).isEqualTo(ExitCodes.REFUSED);
    assertThat(directory.resolve("config/login.json")).doesNotExist();
  }

  @Test
  @Requirement("T3")
  void login_otherFingerprintPinned_isRefused() {
    assertThat(login("--ca-fingerprint", "ab".repeat(32))).isEqualTo(ExitCodes.REFUSED);
    assertThat(errors()).contains("ab".repeat(32), fingerprint(), "try:");
  }

  @Test
  void login_fingerprintWithColonsPinned_asksNothing() {
    answer = "n";

    String colons = fingerprint().toUpperCase(Locale.ROOT).replaceAll("(..)(?=.)", "$1:");

    assertThat(login("--ca-fingerprint", colons)).isZero();
  }

  @Test
  void hostsList_notSignedIn_saysHowToSignIn() {
    assertThat(towline("hosts", "list")).isEqualTo(ExitCodes.REFUSED);
    assertThat(errors()).contains("not signed in", "towline login");
  }

  @Test
  @Requirement("G4")
  void hostsList_severalPages_showsAllWithoutControlCharacters() {
    login();
    out.reset();

    assertThat(towline("hosts", "list")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            """
            NAME          GROUP  STATE    PATH            VERSION  LAST SEEN  ID
            web-1         web    online   direct          0.1.0    12s ago    a1
            evil?[2Jname  web    offline  relay dmz > hq  0.1.0    12s ago    a2
            """);
  }

  @Test
  @Requirement("R7")
  void relaysShow_showsEachConnectionInFull() {
    login();
    out.reset();

    assertThat(towline("relays", "show", "dmz")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains(
            """
            CONNECTION   STATE  ADDRESS         SINCE   ROUND TRIP  STREAMS  STALLED  RESERVE  OPENED  SENT  RECEIVED  LAST ERROR
            parent hq#0  up     10.0.0.2:40000  1m ago  1.25 ms     3        1        16       40      1000  2000      no answer to pings
            """);
    out.reset();
    assertThat(towline("relays", "settings", "dmz")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            """
            SETTING      VALUE  ORIGIN
            connections  6      manager
            """);
  }

  @Test
  @Requirement("R2")
  void relaysChildren_wholeListAtOnce_andAnEmptyOneIsRefused() {
    login();
    out.reset();

    assertThat(towline("relays", "children", "hq", "--set", "dmz,edge")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo("dmz\nedge\n");

    assertThat(towline("relays", "children", "hq", "--set", "")).isEqualTo(ExitCodes.FAILED);
    assertThat(errors()).contains("child list of hq: empty (expected: at least one child)");
  }

  @Test
  @Requirement("T3")
  void hostsRevokeAndRelease_tellTheManager_andSayWhichHost() {
    login();
    out.reset();

    assertThat(towline("hosts", "revoke", "web-1", "--reason", "stolen")).isZero();
    assertThat(towline("hosts", "release", "web-2")).isZero();
    assertThat(towline("hosts", "enroll-clone", "web-3")).isZero();

    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            "Host web-1 (h1) is revoked.\nHost web-2 (h1) is released.\n"
                + "The clone of web-3 (h1) was told to enroll as a host of its own.\n");
    assertThat(manager.received)
        .contains(
            RevokeHostRequest.newBuilder().setHost("web-1").setReason("stolen").build(),
            ReleaseHostRequest.newBuilder().setHost("web-2").build(),
            EnrollCloneRequest.newBuilder().setHost("web-3").build());
  }

  @Test
  void relaysSet_notKeyAndValue_isWrongUsage() {
    login();
    assertThat(towline("relays", "set", "dmz", "connections")).isEqualTo(ExitCodes.USAGE);
    assertThat(errors()).contains("setting: connections (expected: key=value)");
  }

  @Test
  @Requirement("G7")
  void trace_namesEveryHop_andFailsWhenOneDidNotAnswer() {
    login();
    out.reset();

    assertThat(towline("trace", "web-1")).isEqualTo(ExitCodes.FAILED);
    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            """
            HOP      NAME     COMES FROM      ROUND TRIP  LEG       TLS                             PROBLEM
            agent    web-1    192.0.2.9:4711  2.50 ms     ~1.25 ms  TLSv1.3 TLS_AES_256_GCM_SHA384  -
            relay    dmz      -               1.25 ms     0.90 ms   -                               -
            relay    hq       -               -           -         -                               no answer within 5 s
            manager  manager  -               -           -         -                               -
            """);
  }

  @Test
  void hostsList_asJsonAndYaml_carriesTheSameFields() {
    login();
    out.reset();

    assertThat(towline("hosts", "list", "-o", "json")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("\"state\": \"HOST_STATE_ONLINE\"");
    out.reset();
    assertThat(towline("hosts", "list", "-o", "yaml")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("state: \"HOST_STATE_ONLINE\"");
  }

  @Test
  void hostsShow_unknownHost_showsTheManagersRemedy() {
    login();

    assertThat(towline("hosts", "show", "nope")).isEqualTo(ExitCodes.FAILED);
    assertThat(errors()).contains("error: host: nope", "try: towline hosts list shows all");
  }

  @Test
  @Requirement("G4")
  void run_everyHostSucceeds_prefixesOutputOnceAndEndsWithZero() {
    login();
    out.reset();

    assertThat(towline("run", "--on", "all", "--time-limit", "5m", "--", "ls", "-l")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            """
            web-1    | one
            database | first
            web-1    | two
            web-1    | three
            """);
    assertThat(manager.runs.getFirst().getRun().getCommandList()).containsExactly("ls", "-l");
    assertThat(manager.runs.getFirst().getRun().getTimeLimitMs())
        .isEqualTo(Duration.ofMinutes(5).toMillis());
    assertThat(errors()).contains("2 of 2 hosts succeeded");
  }

  @Test
  void run_oneHostFails_saysWhichAndEndsWithOne() {
    login();
    manager.failing = true;

    assertThat(towline("run", "--on", "all", "uname", "-a")).isEqualTo(ExitCodes.FAILED);
    assertThat(errors())
        .contains("database | failed with exit status 3", "1 of 2 hosts succeeded, 1 failed");
    assertThat(manager.runs.getFirst().getRun().getCommandList()).containsExactly("uname", "-a");
  }

  @Test
  void run_noHostMatches_endsWithFour() {
    login();

    assertThat(towline("run", "--on", "none", "--", "true")).isEqualTo(ExitCodes.NO_HOST);
  }

  @Test
  @Requirement({"F3", "F6"})
  void firewallSet_sendsTheRules_andEndsAsTheHostDid() throws IOException {
    login();
    Path rules = Files.writeString(directory.resolve("rules.yaml"), "rules: []");

    assertThat(
            towline(
                "firewall", "set", "database", "-f", rules.toString(), "--confirm-within", "30s"))
        .isZero();
    assertThat(manager.received)
        .containsExactly(
            ControlHostFirewallRequest.newBuilder()
                .setHost("database")
                .setOrder(
                    ControlFirewall.newBuilder()
                        .setOrder(ControlFirewall.Order.SET)
                        .setRules("rules: []")
                        .setConfirmWithinMs(30_000))
                .build());
    manager.failing = true;
    assertThat(towline("firewall", "set", "database", "-f", rules.toString()))
        .isEqualTo(ExitCodes.FAILED);
    assertThat(towline("firewall", "set", "database", "-f", "none.yaml"))
        .isEqualTo(ExitCodes.USAGE);
    assertThat(errors()).contains("file: none.yaml can't be read");
  }

  @Test
  @Requirement("F3")
  void firewallTest_sendsThePacket() {
    login();

    assertThat(towline("firewall", "test", "database", "--from", "203.0.113.9", "--port", "443"))
        .isZero();
    assertThat(manager.received)
        .containsExactly(
            ControlHostFirewallRequest.newBuilder()
                .setHost("database")
                .setOrder(
                    ControlFirewall.newBuilder()
                        .setOrder(ControlFirewall.Order.TEST)
                        .setPacket(
                            FirewallPacket.newBuilder()
                                .setSourceIp("203.0.113.9")
                                .setProtocol("tcp")
                                .setDestinationPort(443)))
                .build());
  }

  @Test
  void run_withoutCommand_isWrongUsage() {
    login();

    assertThat(towline("run", "--on", "all")).isEqualTo(ExitCodes.USAGE);
    assertThat(towline("run", "--on", "all", "--no-op", "--", "ls")).isEqualTo(ExitCodes.USAGE);
  }

  @Test
  @Requirement("I1")
  void installCommandCreate_withEnrollmentFile_printsLinesAndWritesTheFile() {
    login();
    out.reset();
    Path file = directory.resolve("enroll.json");

    int code =
        towline(
            "install-command",
            "create",
            "--group",
            "web",
            "--expires",
            "1d12h",
            "--max-uses",
            "3",
            "--tag",
            "a",
            "--tag",
            "b",
            "--enrollment-file",
            file.toString());

    assertThat(code).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("curl line", "wget line");
    assertThat(file).hasContent("{\"token-id\":\"tok1\"}");
    assertThat(manager.created.getFirst().getExpiresInMs())
        .isEqualTo(Duration.ofHours(36).toMillis());
    assertThat(manager.created.getFirst().getTagsList()).containsExactly("a", "b");
  }

  @Test
  void installCommandCreate_wrongDuration_isWrongUsage() {
    assertThat(towline("install-command", "create", "--expires", "tomorrow"))
        .isEqualTo(ExitCodes.USAGE);
    assertThat(errors()).contains("'tomorrow' is not a duration", "24h");
  }

  @Test
  void unknownCommand_suggestsTheNearest() {
    assertThat(towline("host")).isEqualTo(ExitCodes.USAGE);
    assertThat(errors()).contains("hosts");
  }

  @Test
  void completion_bash_isAScriptForTowline() {
    assertThat(towline("completion", "bash")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("complete -F _complete_towline");
  }

  private int login(String... more) {
    Path password = directory.resolve("password");
    try {
      Files.writeString(password, FakeAdmin.PASSWORD + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    String[] base = {"login", "https://manager:8444", "--password-file", password.toString()};
    String[] all = Arrays.copyOf(base, base.length + more.length);
    System.arraycopy(more, 0, all, base.length, more.length);
    return towline(all);
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
            new Answering());
    return TowlineCommand.run(context, args);
  }

  private String errors() {
    return err.toString(StandardCharsets.UTF_8);
  }

  private String fingerprint() {
    return Fingerprints.of(manager.chain.getLast());
  }

  private final class Answering implements Terminal {
    @Override
    public boolean isPresent() {
      return true;
    }

    @Override
    public Optional<String> ask(String question) {
      return Optional.of(answer);
    }

    @Override
    public Optional<String> askSecret(String question) {
      return Optional.empty();
    }
  }
}
