package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.topology.Await;
import dev.towline.it.topology.Fleet;
import dev.towline.it.topology.Host;
import dev.towline.it.topology.Image;
import dev.towline.it.topology.Lab;
import dev.towline.it.topology.Result;
import dev.towline.it.topology.Segment;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.Event;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.InstallCommand;
import dev.towline.proto.v1.ListEventsResponse;
import dev.towline.proto.v1.ListInstallCommandsResponse;
import dev.towline.proto.v1.PairedRelays;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The printed line, pasted on hosts that have next to nothing: on a network with no way out,
 * without Java, without certificates of public authorities. One fleet for all; the hosts that are
 * installed first are used by the tests that follow.
 */
@Tag("docker")
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
@TestMethodOrder(OrderAnnotation.class)
final class InstallIT {
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final Pattern SECRET = Pattern.compile("\"secret\":\"([A-Za-z0-9_-]{20,})\"");
  private static final String SAMPLES = "/root/samples";

  private static Lab lab;
  private static Segment net;
  private static Fleet fleet;

  @BeforeAll
  static void bringUp() {
    lab = Lab.open("install-it");
    net = lab.sealedSegment("net");
    lab.together(
        List.of(
            () -> lab.host("manager", Image.BASE, net),
            () -> lab.host("curl-only", Image.CURL_ONLY, net).dropDefaultRoute(),
            () -> lab.host("wget-only", Image.WGET_ONLY, net).dropDefaultRoute(),
            () -> lab.host("systemd", Image.SYSTEMD, net).dropDefaultRoute(),
            () -> lab.host("bare", Image.BARE, net)));
    fleet = Fleet.start(lab.host("manager"));
  }

  @AfterAll
  static void takeDown() {
    if (lab != null) {
      lab.close();
    }
  }

  @Order(1)
  @ParameterizedTest
  @EnumSource(
      value = Image.class,
      names = {"CURL_ONLY", "WGET_ONLY", "SYSTEMD"})
  @Requirement({"I1", "I3"})
  void preparedHost_isOnlineInItsGroup_andTheSecretStaysNowhere(Image image) {
    Host host = lab.host(image.name().toLowerCase(Locale.ROOT).replace('_', '-'));
    assertThat(host.run("sh", "-c", "command -v java").ok()).isFalse();
    assertThat(host.sh("ip route show default")).isEmpty();
    if (image != Image.SYSTEMD) {
      assertThat(host.run("test", "-e", "/etc/ssl/certs/ca-certificates.crt").ok()).isFalse();
    }
    CreatedInstallCommand command = fleet.installCommand("--os", "linux", "--group", "web");
    startSampling(host);

    Duration took = fleet.install(command, host);

    System.out.printf("install.%s: %.1f s%n", host.name(), took.toMillis() / 1000.0);
    var row = fleet.awaitState(host.name(), HostState.HOST_STATE_ONLINE, LIMIT);
    assertThat(row.getGroup()).isEqualTo("web");
    assertThat(row.getInstallCommand()).isEqualTo(command.getCommand().getId());
    String secret = secretOf(command);
    String samples = stopSampling(host);
    assertThat(samples).contains("towline-agent").contains("/install/" + row.getInstallCommand());
    assertThat(samples).doesNotContain(secret);
    assertThat(filesWith(secret, host)).isEmpty();
    assertThat(fleet.manager().log()).doesNotContain(secret);
    assertThat(host.sh("ls /tmp")).isEmpty();
  }

  @Test
  @Order(2)
  @Requirement("I3")
  void systemdHost_runsAUnit_thatSurvivesRestartsAndBoots() {
    Host host = lab.host("systemd");
    assertThat(host.sh("systemctl is-active towline-agent").strip()).isEqualTo("active");
    assertThat(host.sh("systemctl is-enabled towline-agent").strip()).isEqualTo("enabled");
    int known = fleet.hosts().size();
    String before = host.sh("systemctl show -P MainPID towline-agent");

    host.sh("systemctl restart towline-agent");

    awaitOnline(host);
    assertThat(host.sh("systemctl show -P MainPID towline-agent")).isNotEqualTo(before);
    host.reboot();
    awaitOnline(host);
    assertThat(fleet.hosts()).hasSize(known);
  }

  @Test
  @Order(2)
  @Requirement("I3")
  void secondRun_isHarmless() {
    Host host = lab.host("curl-only");
    var before = fleet.hosts();
    String pid = agentPid(host);

    Result again = Fleet.paste(fleet.installCommand("--group", "web"), host);

    assertThat(again.ok()).as(again.toString()).isTrue();
    assertThat(again.out()).contains("already installed");
    assertThat(agentPid(host)).isEqualTo(pid);
    assertThat(fleet.hosts().keySet()).isEqualTo(before.keySet());
    assertThat(fleet.hosts().get(host.name()).getId()).isEqualTo(before.get(host.name()).getId());
  }

  @Test
  @Order(2)
  void supervisedAgent_killed_runsAgain() {
    Host host = lab.host("wget-only");
    String before = agentPid(host);

    host.sh("kill -9 " + before);

    Await.until(
        "another process of the agent",
        LIMIT,
        () -> !agentPid(host).equals(before) && isOnline(host));
    fleet.awaitState(host.name(), HostState.HOST_STATE_ONLINE, LIMIT);
  }

  @Test
  @Order(3)
  void bareHost_withNothingToDownload_failsWithOneLine() {
    Host host = lab.host("bare");
    CreatedInstallCommand command = fleet.installCommand("--group", "web");

    for (String line : List.of(command.getCurlLine(), command.getWgetLine())) {
      Result result = host.paste(line, LIMIT);

      assertThat(result.ok()).isFalse();
      assertThat((result.out() + result.err()).lines())
          .singleElement()
          .asString()
          .contains("not found");
      assertNothingWasInstalled(host);
    }
  }

  @Test
  @Order(3)
  @Requirement("I2")
  void expiredCommand_isRefused() {
    CreatedInstallCommand command = fleet.installCommand("--expires", "1s");
    Await.until(
        "the command has expired",
        LIMIT,
        () -> listed(command.getCommand().getId(), false).isEmpty());

    assertRefused(command, "curl-only", "TOKEN_EXPIRED", "expired at");
  }

  @Test
  @Order(3)
  @Requirement("I2")
  void revokedCommand_isRefused() {
    CreatedInstallCommand command = fleet.installCommand();
    fleet.towline("install-command", "revoke", command.getCommand().getId());

    assertRefused(command, "wget-only", "TOKEN_REVOKED", "was revoked");
  }

  @Test
  @Order(3)
  @Requirement({"I1", "I2"})
  void usedUpCommand_isRefused() {
    CreatedInstallCommand command = fleet.installCommand("--max-uses", "1");
    Host first = lab.host("first", Image.CURL_ONLY, net);
    fleet.install(command, first);

    assertRefused(command, "wget-only", "TOKEN_USED_UP", "used up");
  }

  @Test
  @Order(3)
  @Requirement({"I1", "I2"})
  void commandForAnotherSystem_isRefused() {
    CreatedInstallCommand command = fleet.installCommand("--os", "linux");
    Host host = fresh("curl-only");
    host.write(
        "/usr/local/bin/uname",
        "#!/bin/sh\ncase $1 in -s) echo FreeBSD ;; *) exec /bin/uname \"$@\" ;; esac\n");
    host.sh("chmod 0755 /usr/local/bin/uname");

    assertRefused(command, host, "TOKEN_WRONG_OS", "it is for linux");
  }

  /** Two hosts that have nothing but their agents; one runs systemd, the other one does not. */
  @Test
  @Order(4)
  @Requirement({"R5", "R6"})
  void hostsWithAgents_becomeARelayPair_byDirective() {
    PairedRelays paired =
        fleet
            .ask(
                PairedRelays.newBuilder(),
                "relays",
                "pair",
                "--parent",
                "curl-only",
                "--child",
                "systemd",
                "--downstream",
                "systemd")
            .build();

    assertThat(paired.hasParent() || paired.hasChild()).as(paired.toString()).isFalse();
    awaitRelay("curl-only");
    RelayInfo child = awaitRelay("systemd");
    assertThat(child.getParentsList()).containsExactly("curl-only");
    assertThat(lab.host("systemd").sh("systemctl is-enabled towline-relay").strip())
        .isEqualTo("enabled");
    Host below = lab.host("below", Image.CURL_ONLY, net);
    fleet.install(fleet.installCommand("--relay", "systemd"), below);
    assertThat(fleet.hosts().get("below").getPath().getKind()).isEqualTo(Path.Kind.RELAY);
    assertThat(
            fleet.ask(ListEventsResponse.newBuilder(), "events", "list").getEventsList().stream()
                .map(Event::getCode))
        .contains("program.installed");
  }

  private static RelayInfo awaitRelay(String name) {
    Await.until(
        "relay " + name + " is online",
        LIMIT,
        () -> relay(name).getState() == HostState.HOST_STATE_ONLINE);
    return relay(name);
  }

  private static RelayInfo relay(String name) {
    return fleet.ask(RelayInfo.newBuilder(), "relays", "show", name).build();
  }

  @Test
  @Order(4)
  @Requirement({"I1", "I2"})
  void commandForOtherNetworks_isRefused() {
    CreatedInstallCommand command = fleet.installCommand("--source-network", "203.0.113.0/24");
    Host host = fresh("curl-only");

    Result result = Fleet.paste(command, host);

    assertThat(result.exitCode()).as(result.toString()).isEqualTo(3);
    assertThat(result.err()).contains("203.0.113.0/24");
    assertThat(listed(command.getCommand().getId(), true).getFirst().getLastRefusal())
        .isEqualTo("TOKEN_WRONG_NETWORK");
    assertThat(fleet.hosts()).doesNotContainKey(host.name());
  }

  @Test
  @Order(4)
  @Requirement("I2")
  void commandShownOnceMore_installsTheSame() {
    CreatedInstallCommand first =
        fleet.installCommand("--group", "copied", "--source-network", net.subnet());
    CreatedInstallCommand copied =
        fleet
            .ask(
                CreatedInstallCommand.newBuilder(),
                "install-command",
                "show",
                first.getCommand().getId())
            .build();
    Host host = fresh("curl-only");

    fleet.install(copied, host);

    assertThat(copied.getCurlLine()).isEqualTo(first.getCurlLine());
    assertThat(fleet.hosts().get(host.name()).getGroup()).isEqualTo("copied");
  }

  @Test
  @Order(4)
  @Requirement("I1")
  void windows_isRefusedWithAClearMessage() {
    Result result = fleet.run("install-command", "create", "--os", "windows");

    assertThat(result.ok()).isFalse();
    assertThat(result.err()).contains("there is no agent for Windows");
  }

  @Order(4)
  @ParameterizedTest
  @EnumSource(
      value = Image.class,
      names = {"WGET_ONLY", "SYSTEMD"})
  @Requirement("I5")
  void uninstalled_nothingIsLeft_andTheManagerKnows(Image image) {
    Host host = lab.host("leaving-" + lab.hosts().size(), image, net);
    String before = everythingOf(host);
    fleet.install(fleet.installCommand("--group", "web"), host);
    assertThat(everythingOf(host)).isNotEqualTo(before);
    String line = fleet.towline("hosts", "uninstall-command").strip();

    Result result = host.paste(line, LIMIT);

    assertThat(result.ok()).as(result.toString()).isTrue();
    assertThat(result.out()).contains("the manager knows");
    assertThat(everythingOf(host)).isEqualTo(before);
    fleet.awaitState(host.name(), HostState.HOST_STATE_UNINSTALLED, LIMIT);
  }

  @Test
  @Order(5)
  @Requirement("I4")
  void image_neverEnrollsItself_eachCloneIsAHostOfItsOwn() {
    Host image = lab.host("image", Image.SYSTEMD, net);
    CreatedInstallCommand command =
        fleet.installCommand("--group", "cloned", "--image-system", "--max-uses", "3");
    Result installed = Fleet.paste(command, image);
    assertThat(installed.ok()).as(installed.toString()).isTrue();
    assertThat(installed.out()).contains("ready to be cloned");

    image.reboot();

    Await.until(
        "the image has said what it is",
        LIMIT,
        () ->
            image
                .sh("journalctl -u towline-agent -o cat --no-pager")
                .contains("this host is an image"));
    assertThat(fleet.hosts()).doesNotContainKey("image");
    Host one = lab.cloned("clone-1", image, net);
    Host two = lab.cloned("clone-2", image, net);
    var first = fleet.awaitState(one.name(), HostState.HOST_STATE_ONLINE, LIMIT);
    var second = fleet.awaitState(two.name(), HostState.HOST_STATE_ONLINE, LIMIT);
    assertThat(first.getId()).isNotEqualTo(second.getId());
    assertThat(first.getGroup()).isEqualTo("cloned");
    assertThat(first.getFacts().getMachineId()).isNotEqualTo(second.getFacts().getMachineId());
    assertThat(listed(command.getCommand().getId(), true).getFirst().getUses()).isEqualTo(2);
    assertThat(fleet.hosts()).doesNotContainKey("image");
  }

  /** Cloned after it was enrolled, from a command that is meant for clones. */
  @Test
  @Order(6)
  @Requirement("I4")
  void cloneOfAnEnrolledDisk_besideItsOriginal_becomesAHostOfItsOwn() {
    String original = fleet.hosts().get("clone-1").getId();

    lab.cloned("clone-3", lab.host("clone-1"), net);

    var third = fleet.awaitState("clone-3", HostState.HOST_STATE_ONLINE, LIMIT);
    assertThat(third.getGroup()).isEqualTo("cloned");
    assertThat(third.getId()).isNotEqualTo(original);
    var first = fleet.awaitState("clone-1", HostState.HOST_STATE_ONLINE, LIMIT);
    assertThat(first.getId()).isEqualTo(original);
    assertThat(fleet.towline("events", "list", "--host", "clone-1"))
        .contains("clone.suspected", "clone.enrolls_anew");
    assertThat(fleet.act("group=cloned", "hostname").getTargetsList())
        .extracting(target -> target.getOutput().toStringUtf8().strip())
        .containsExactlyInAnyOrder("clone-1", "clone-2", "clone-3");
  }

  /** Files, users, units, processes and packet filter: what an installation could leave behind. */
  private static String everythingOf(Host host) {
    return host.sh(
        """
        find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /var/log/journal \\
          -o -path /var/log/towline-test -o -path /var/lib/systemd -o -path /var/tmp \\) -prune -o -print | sort
        cat /etc/passwd /etc/group /etc/shadow
        systemctl list-unit-files --no-legend --no-pager 2>/dev/null | grep -i towline || true
        cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'dev.towline[A-Za-z.]*Main' || true
        nft -s list ruleset 2>/dev/null || true
        """);
  }

  private static void assertRefused(
      CreatedInstallCommand command, String kind, String code, String words) {
    assertRefused(command, fresh(kind), code, words);
  }

  /** The host says so in one line and stays as it was; the manager has recorded it. */
  private static void assertRefused(
      CreatedInstallCommand command, Host host, String code, String words) {
    String id = command.getCommand().getId();

    Result result = Fleet.paste(command, host);

    assertThat(result.exitCode()).as(result.toString()).isEqualTo(3);
    assertThat(result.out()).isEmpty();
    assertThat(result.err().lines()).singleElement().asString().contains(words);
    assertNothingWasInstalled(host);
    InstallCommand recorded = listed(id, true).getFirst();
    assertThat(recorded.getLastRefusal()).isEqualTo(code);
    assertThat(recorded.getRefusals()).isEqualTo(1);
    assertThat(
            fleet.ask(ListEventsResponse.newBuilder(), "events", "list").getEventsList().stream()
                .filter(event -> event.getSubject().contains(id))
                .map(Event::getCode))
        .containsExactly("enrollment.refused." + code.toLowerCase(Locale.ROOT));
    assertThat(fleet.hosts()).doesNotContainKey(host.name());
  }

  private static void assertNothingWasInstalled(Host host) {
    assertThat(host.sh("ls -d /opt/towline /var/lib/towline /etc/towline /tmp/* 2>&1 || true"))
        .doesNotContainPattern("(?m)^/");
  }

  private static List<InstallCommand> listed(String id, boolean ended) {
    var answer = ListInstallCommandsResponse.newBuilder();
    return (ended
            ? fleet.ask(answer, "install-command", "list", "--all")
            : fleet.ask(answer, "install-command", "list"))
        .getCommandsList().stream().filter(command -> command.getId().equals(id)).toList();
  }

  private static Host fresh(String kind) {
    return lab.host(
        "fresh-" + lab.hosts().size(),
        kind.equals("wget-only") ? Image.WGET_ONLY : Image.CURL_ONLY,
        net);
  }

  private static boolean isOnline(Host host) {
    return host.run(
            "/opt/towline/agent/current/bin/towline-agent",
            "status",
            "--data",
            "/var/lib/towline/agent")
        .ok();
  }

  private static void awaitOnline(Host host) {
    Await.until(host.name() + " is online", LIMIT, () -> isOnline(host));
  }

  /** Empty while none runs. */
  private static String agentPid(Host host) {
    return host.run("pgrep", "-f", "dev.towline.agent.AgentMai[n] run").out().strip();
  }

  private static String secretOf(CreatedInstallCommand command) {
    Matcher matcher = SECRET.matcher(command.getEnrollmentFile());
    assertThat(matcher.find()).isTrue();
    return matcher.group(1);
  }

  /** Writes down all argument lists on the host, over and over. */
  private static void startSampling(Host host) {
    host.write(
        "/root/sample.sh",
        """
        while [ ! -e /root/enough ]; do
          cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '
          echo
          sleep 0.03
        done
        """);
    host.launch("sampler", "sh", "-c", "sh /root/sample.sh >" + SAMPLES);
  }

  private static String stopSampling(Host host) {
    host.sh("touch /root/enough");
    String samples = host.sh("sort -u " + SAMPLES);
    host.sh("rm -f /root/enough");
    return samples;
  }

  /** The files of a host that hold a text, which is on no argument list here either. */
  private static String filesWith(String text, Host host) {
    return host.paste(
            """
            grep -rlF --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev -f - / 2>/dev/null <<END
            %s
            END
            """
                .formatted(text),
            LIMIT)
        .out();
  }
}
