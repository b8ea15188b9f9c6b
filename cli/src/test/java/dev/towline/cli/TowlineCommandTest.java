package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.cli.error.ExitCodes;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.ControlHostFirewallRequest;
import dev.towline.proto.v1.EnrollCloneRequest;
import dev.towline.proto.v1.FirewallPacket;
import dev.towline.proto.v1.ReleaseHostRequest;
import dev.towline.proto.v1.RevokeHostRequest;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Command lines against a manager that is faked behind the real admin services. */
final class TowlineCommandTest {
  @TempDir private Path directory;
  private TestCli towline;

  @BeforeEach
  void start() throws IOException {
    towline = new TestCli(directory);
  }

  @AfterEach
  void stop() {
    towline.close();
  }

  @Test
  @Requirement("T3")
  void login_confirmedFingerprint_storesTokenForOwnerOnly() throws IOException {
    towline.answer("y");

    assertThat(towline.login()).isZero();

    assertThat(towline.output()).contains("Signed in", "12h", "password");
    Path file = directory.resolve("config/login.json");
    assertThat(file).content().contains("t0k3n").doesNotContain(FakeAdmin.PASSWORD);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
  }

  @Test
  @Requirement("T3")
  void login_fingerprintNotConfirmed_isRefusedBeforeThePasswordIsSent() throws IOException {
    towline.answer("n");

    assertThat(towline.login()).isEqualTo(ExitCodes.REFUSED);
    assertThat(directory.resolve("config/login.json")).doesNotExist();
  }

  @Test
  @Requirement("T3")
  void login_otherFingerprintPinned_isRefused() throws IOException {
    assertThat(towline.login("--ca-fingerprint", "ab".repeat(32))).isEqualTo(ExitCodes.REFUSED);
    assertThat(towline.errors()).contains("ab".repeat(32), towline.fingerprint(), "try:");
  }

  @Test
  void login_fingerprintWithColonsPinned_asksNothing() throws IOException {
    towline.answer("n");

    String colons = towline.fingerprint().toUpperCase(Locale.ROOT).replaceAll("(..)(?=.)", "$1:");

    assertThat(towline.login("--ca-fingerprint", colons)).isZero();
  }

  @Test
  void hostsList_notSignedIn_saysHowToSignIn() {
    assertThat(towline.run("hosts", "list")).isEqualTo(ExitCodes.REFUSED);
    assertThat(towline.errors()).contains("not signed in", "towline login");
  }

  @Test
  @Requirement("G4")
  void hostsList_severalPages_showsAllWithoutControlCharacters() throws IOException {
    towline.signIn();

    assertThat(towline.run("hosts", "list")).isZero();
    assertThat(towline.output())
        .isEqualTo(
            """
            NAME          GROUP  STATE    PATH            VERSION  LAST SEEN  ID
            web-1         web    online   direct          0.1.0    12s ago    a1
            evil?[2Jname  web    offline  relay dmz > hq  0.1.0    12s ago    a2
            """);
  }

  @Test
  @Requirement("R7")
  void relaysShow_showsEachConnectionInFull() throws IOException {
    towline.signIn();

    assertThat(towline.run("relays", "show", "dmz")).isZero();
    assertThat(towline.output())
        .contains(
            """
            CONNECTION   STATE  ADDRESS         SINCE   ROUND TRIP  STREAMS  STALLED  RESERVE  OPENED  SENT  RECEIVED  LAST ERROR
            parent hq#0  up     10.0.0.2:40000  1m ago  1.25 ms     3        1        16       40      1000  2000      no answer to pings
            """);
    towline.forget();
    assertThat(towline.run("relays", "settings", "dmz")).isZero();
    assertThat(towline.output())
        .isEqualTo(
            """
            SETTING      VALUE  ORIGIN
            connections  6      manager
            """);
  }

  @Test
  @Requirement("R2")
  void relaysChildren_wholeListAtOnce_andAnEmptyOneIsRefused() throws IOException {
    towline.signIn();

    assertThat(towline.run("relays", "children", "hq", "--set", "dmz,edge")).isZero();
    assertThat(towline.output()).isEqualTo("dmz\nedge\n");

    assertThat(towline.run("relays", "children", "hq", "--set", "")).isEqualTo(ExitCodes.FAILED);
    assertThat(towline.errors()).contains("child list of hq: empty (expected: at least one child)");
  }

  @Test
  @Requirement("T3")
  void hostsRevokeAndRelease_tellTheManager_andSayWhichHost() throws IOException {
    towline.signIn();

    assertThat(towline.run("hosts", "revoke", "web-1", "--reason", "stolen")).isZero();
    assertThat(towline.run("hosts", "release", "web-2")).isZero();
    assertThat(towline.run("hosts", "enroll-clone", "web-3")).isZero();

    assertThat(towline.output())
        .isEqualTo(
            "Host web-1 (h1) is revoked.\nHost web-2 (h1) is released.\n"
                + "The clone of web-3 (h1) was told to enroll as a host of its own.\n");
    assertThat(towline.manager.received)
        .contains(
            RevokeHostRequest.newBuilder().setHost("web-1").setReason("stolen").build(),
            ReleaseHostRequest.newBuilder().setHost("web-2").build(),
            EnrollCloneRequest.newBuilder().setHost("web-3").build());
  }

  @Test
  void relaysSet_notKeyAndValue_isWrongUsage() throws IOException {
    towline.signIn();
    assertThat(towline.run("relays", "set", "dmz", "connections")).isEqualTo(ExitCodes.USAGE);
    assertThat(towline.errors()).contains("setting: connections (expected: key=value)");
  }

  @Test
  @Requirement("G7")
  void trace_namesEveryHop_andFailsWhenOneDidNotAnswer() throws IOException {
    towline.signIn();

    assertThat(towline.run("trace", "web-1")).isEqualTo(ExitCodes.FAILED);
    assertThat(towline.output())
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
  void hostsList_asJsonAndYaml_carriesTheSameFields() throws IOException {
    towline.signIn();

    assertThat(towline.run("hosts", "list", "-o", "json")).isZero();
    assertThat(towline.output()).contains("\"state\": \"HOST_STATE_ONLINE\"");
    towline.forget();
    assertThat(towline.run("hosts", "list", "-o", "yaml")).isZero();
    assertThat(towline.output()).contains("state: \"HOST_STATE_ONLINE\"");
  }

  @Test
  void hostsShow_unknownHost_showsTheManagersRemedy() throws IOException {
    towline.signIn();

    assertThat(towline.run("hosts", "show", "nope")).isEqualTo(ExitCodes.FAILED);
    assertThat(towline.errors()).contains("error: host: nope", "try: towline hosts list shows all");
  }

  @Test
  @Requirement("G4")
  void run_everyHostSucceeds_prefixesOutputOnceAndEndsWithZero() throws IOException {
    towline.signIn();

    assertThat(towline.run("run", "--on", "all", "--time-limit", "5m", "--", "ls", "-l")).isZero();
    assertThat(towline.output())
        .isEqualTo(
            """
            web-1    | one
            database | first
            web-1    | two
            web-1    | three
            """);
    assertThat(towline.manager.runs.getFirst().getRun().getCommandList())
        .containsExactly("ls", "-l");
    assertThat(towline.manager.runs.getFirst().getRun().getTimeLimitMs())
        .isEqualTo(Duration.ofMinutes(5).toMillis());
    assertThat(towline.errors()).contains("2 of 2 hosts succeeded");
  }

  @Test
  void run_oneHostFails_saysWhichAndEndsWithOne() throws IOException {
    towline.signIn();
    towline.manager.failing = true;

    assertThat(towline.run("run", "--on", "all", "uname", "-a")).isEqualTo(ExitCodes.FAILED);
    assertThat(towline.errors())
        .contains("database | failed with exit status 3", "1 of 2 hosts succeeded, 1 failed");
    assertThat(towline.manager.runs.getFirst().getRun().getCommandList())
        .containsExactly("uname", "-a");
  }

  @Test
  void run_noHostMatches_endsWithFour() throws IOException {
    towline.signIn();

    assertThat(towline.run("run", "--on", "none", "--", "true")).isEqualTo(ExitCodes.NO_HOST);
  }

  @Test
  @Requirement({"F3", "F6"})
  void firewallSet_sendsTheRules_andEndsAsTheHostDid() throws IOException {
    towline.signIn();
    Path rules = Files.writeString(directory.resolve("rules.yaml"), "rules: []");

    assertThat(
            towline.run(
                "firewall", "set", "database", "-f", rules.toString(), "--confirm-within", "30s"))
        .isZero();
    assertThat(towline.manager.received)
        .containsExactly(
            ControlHostFirewallRequest.newBuilder()
                .setHost("database")
                .setOrder(
                    ControlFirewall.newBuilder()
                        .setOrder(ControlFirewall.Order.SET)
                        .setRules("rules: []")
                        .setConfirmWithinMs(30_000))
                .build());
    towline.manager.failing = true;
    assertThat(towline.run("firewall", "set", "database", "-f", rules.toString()))
        .isEqualTo(ExitCodes.FAILED);
    assertThat(towline.run("firewall", "set", "database", "-f", "none.yaml"))
        .isEqualTo(ExitCodes.USAGE);
    assertThat(towline.errors()).contains("file: none.yaml can't be read");
  }

  @Test
  @Requirement("F3")
  void firewallTest_sendsThePacket() throws IOException {
    towline.signIn();

    assertThat(
            towline.run("firewall", "test", "database", "--from", "203.0.113.9", "--port", "443"))
        .isZero();
    assertThat(towline.manager.received)
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
  void run_withoutCommand_isWrongUsage() throws IOException {
    towline.signIn();

    assertThat(towline.run("run", "--on", "all")).isEqualTo(ExitCodes.USAGE);
    assertThat(towline.run("run", "--on", "all", "--no-op", "--", "ls")).isEqualTo(ExitCodes.USAGE);
  }

  @Test
  @Requirement("I1")
  void installCommandCreate_withEnrollmentFile_printsLinesAndWritesTheFile() throws IOException {
    towline.signIn();
    Path file = directory.resolve("enroll.json");

    int code =
        towline.run(
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
    assertThat(towline.output()).contains("curl line", "wget line");
    assertThat(file).hasContent("{\"token-id\":\"tok1\"}");
    assertThat(towline.manager.created.getFirst().getExpiresInMs())
        .isEqualTo(Duration.ofHours(36).toMillis());
    assertThat(towline.manager.created.getFirst().getTagsList()).containsExactly("a", "b");
  }

  @Test
  void installCommandCreate_wrongDuration_isWrongUsage() {
    assertThat(towline.run("install-command", "create", "--expires", "tomorrow"))
        .isEqualTo(ExitCodes.USAGE);
    assertThat(towline.errors()).contains("'tomorrow' is not a duration", "24h");
  }

  @Test
  void unknownCommand_suggestsTheNearest() {
    assertThat(towline.run("host")).isEqualTo(ExitCodes.USAGE);
    assertThat(towline.errors()).contains("hosts");
  }

  @Test
  void completion_bash_isAScriptForTowline() {
    assertThat(towline.run("completion", "bash")).isZero();
    assertThat(towline.output()).contains("complete -F _complete_towline");
  }
}
