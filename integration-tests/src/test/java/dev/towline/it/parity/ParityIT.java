package dev.towline.it.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.it.fleet.Program;
import dev.towline.manager.paths.Feature;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.CancelActionRequest;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.ComponentStatus;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.ControlHostFirewallRequest;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.GetHostPolicyRequest;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.GetUpdateStatusRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostLog;
import dev.towline.proto.v1.HostPolicy;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListLogsRequest;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path.Kind;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.RunActionRequest;
import dev.towline.proto.v1.TargetState;
import dev.towline.proto.v1.TraceHop;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.updates.RepositoryPaths;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every feature over every path, on real processes. In the order of the table: what ends the agents
 * comes last.
 */
@Requirement("P14")
class ParityIT {
  private static final Set<Kind> PATHS =
      Set.of(Kind.DIRECT, Kind.PROXY, Kind.RELAY, Kind.PROXY_AND_RELAY);

  @TempDir private static Path directory;
  private static ParityFleet fleet;

  @BeforeAll
  static void start() throws IOException {
    fleet = new ParityFleet(directory);
  }

  @AfterAll
  static void stop() {
    if (fleet != null) {
      fleet.close();
    }
  }

  @ParameterizedTest
  @EnumSource
  void feature_onEveryPath_works(Feature feature) throws Exception {
    switch (feature) {
      case RUN_WITH_LIVE_OUTPUT -> runWithLiveOutput();
      case TIME_LIMIT -> timeLimit();
      case CANCEL -> cancel();
      case CATCH_UP -> catchUp();
      case LOGS -> logs();
      case POLICY -> policy();
      case HEARTBEAT_INTERVAL -> heartbeatInterval();
      case TLS_PROFILE -> tlsProfile();
      case DIRECTION -> direction();
      case MANAGER_DIALS -> managerDials();
      case FIREWALL -> firewall();
      case FIREWALL_ROLLBACK -> firewallRollback();
      case TRACE -> trace();
      case UPDATES -> updates();
      case GOODBYE -> goodbye();
      case UNINSTALL -> uninstall();
    }
    assertThat(hosts().stream().map(host -> host.getPath().getKind()))
        .containsExactlyInAnyOrderElementsOf(PATHS);
    assertThat(hosts())
        .allSatisfy(host -> {
          assertThat(host.getName()).isEqualTo(ParityFleet.name(host.getPath().getKind()));
          assertThat(host.getNotOnPathList())
              .isEqualTo(Feature.missingOn(host.getPath().getKind()));
        });
  }

  private static void runWithLiveOutput() throws IOException {
    Path go = fleet.file("go");
    Action action =
        run("echo early; until [ -e " + go + " ]; do sleep 0.1; done; echo late >&2; exit 7");
    Set<String> early = new HashSet<>();
    Iterator<ActionEvent> events =
        fleet
            .fleet()
            .admin()
            .actionWatches()
            .watchAction(GetActionRequest.newBuilder().setAction(action.getId()).build());
    while (early.size() < PATHS.size()) {
      ActionEvent event = events.next();
      assertThat(event.hasEnded()).as("ended before its output was seen").isFalse();
      if (event.hasOutput() && event.getOutput().getData().toStringUtf8().contains("early")) {
        early.add(event.getOutput().getHostName());
      }
    }
    Files.createFile(go);
    assertThat(ended(action))
        .hasSize(PATHS.size())
        .allSatisfy(target -> {
          assertThat(target.getOutcome()).isEqualTo(Outcome.OUTCOME_FAILED);
          assertThat(target.getExitStatus()).isEqualTo(7);
          assertThat(target.getOutput().toStringUtf8()).isEqualTo("early\nlate\n");
        });
  }

  private static void timeLimit() {
    Action action = run(shell("sleep 600").setTimeLimitMs(300));
    assertThat(ended(action))
        .extracting(ActionTarget::getOutcome)
        .containsOnly(Outcome.OUTCOME_TIMED_OUT);
  }

  private static void cancel() {
    Action action = run("sleep 600");
    awaitTargets(action, target -> target.getState() == TargetState.TARGET_STATE_RUNNING);
    Action _ =
        fleet
            .fleet()
            .admin()
            .actions()
            .cancelAction(CancelActionRequest.newBuilder().setAction(action.getId()).build());
    assertThat(ended(action))
        .extracting(ActionTarget::getOutcome)
        .containsOnly(Outcome.OUTCOME_CANCELLED);
  }

  /** Ordered while every agent is stopped, done once they are back. */
  private static void catchUp() {
    fleet.agents().values().forEach(Program::stop);
    awaitState(HostState.HOST_STATE_STOPPED);
    Action action = run("echo caught up");
    startAgain();
    assertThat(ended(action))
        .extracting(ActionTarget::getOutcome)
        .containsOnly(Outcome.OUTCOME_SUCCEEDED);
  }

  private static void startAgain() {
    fleet.agents().values().forEach(Program::start);
    awaitState(HostState.HOST_STATE_ONLINE);
  }

  private static void logs() throws IOException {
    for (Kind kind : PATHS) {
      Files.writeString(fleet.logFile(kind), "one\ntwo\nthree\n", StandardOpenOption.APPEND);
    }
    for (Kind kind : PATHS) {
      Await.until(
          "logs of " + kind,
          ParityFleet.BOUND,
          () -> messages(kind, fleet.logFile(kind)).equals(List.of("three", "two", "one")));
    }
  }

  /** Newest first. */
  private static List<String> messages(Kind kind, Path source) {
    return fleet
        .fleet()
        .admin()
        .logs()
        .listLogs(
            ListLogsRequest.newBuilder()
                .setHost(ParityFleet.name(kind))
                .setSource(source.toString())
                .build())
        .getLogsList()
        .stream()
        .map(HostLog::getMessage)
        .toList();
  }

  /** Which files are sent is one of its settings. */
  private static void policy() throws IOException {
    Path added = fleet.file("added.log");
    Files.createFile(added);
    fleet.fleet().towline("policies", "set", "base", "logs.files=" + added);
    awaitPolicy();
    int[] line = {0};
    for (Kind kind : PATHS) {
      Await.until(
          "lines of the added file over " + kind,
          ParityFleet.BOUND,
          () -> {
            // A file that is new to an agent begins at its end, whenever that first looks.
            Files.writeString(added, ++line[0] + "\n", StandardOpenOption.APPEND);
            return !messages(kind, added).isEmpty();
          });
    }
  }

  private static void heartbeatInterval() {
    fleet.fleet().towline("policies", "set", "base", "heartbeat.interval=5s");
    awaitPolicy();
    awaitHosts("a heartbeat every 5 s", host -> host.getReport().getIntervalMs() == 5_000);
  }

  private static void awaitPolicy() {
    Await.until(
        "every host to go by the policy",
        ParityFleet.BOUND,
        () ->
            PATHS.stream()
                .map(kind ->
                    fleet
                        .fleet()
                        .admin()
                        .policies()
                        .getHostPolicy(
                            GetHostPolicyRequest.newBuilder()
                                .setHost(ParityFleet.name(kind))
                                .build()))
                .allMatch(HostPolicy::getUpToDate));
  }

  /** Of the next connection on. */
  private static void tlsProfile() {
    fleet.fleet().towline("policies", "set", "base", "tls.profile=fips");
    awaitPolicy();
    Map<String, Long> before = generations();
    fleet.agents().values().forEach(Program::stop);
    awaitState(HostState.HOST_STATE_STOPPED);
    startAgain();
    assertThat(generations())
        .allSatisfy(
            (name, generation) -> assertThat(generation).as(name).isGreaterThan(before.get(name)));
    assertThat(hosts())
        .allSatisfy(host -> assertThat(host.getTlsCipherSuite()).containsPattern("AES_.*GCM"));
    fleet.fleet().towline("policies", "clear", "base", "tls.profile");
    awaitPolicy();
  }

  private static void direction() {
    for (Direction direction : List.of(Direction.AGENT_INITIATED, Direction.BIDIRECTIONAL)) {
      fleet.fleet().towline("policies", "set", "base", "connection.direction=" + direction.label());
      awaitPolicy();
      awaitHosts(
          "direction " + direction.label(),
          host -> host.getReport().getDirection().equals(direction.label()));
    }
  }

  /** Where it can't be it is refused before it is tried, and shown. */
  private static void managerDials() {
    String wanted = "connection.direction=" + Direction.MANAGER_INITIATED.label();
    for (Kind kind : PATHS) {
      String host = ParityFleet.name(kind);
      if (kind == Kind.DIRECT) {
        fleet.fleet().towline("policies", "set", "--host", host, wanted);
        awaitPolicy();
        Await.until(
            "the direction of " + host,
            ParityFleet.BOUND,
            () ->
                host(kind).getReport().getDirection().equals(Direction.MANAGER_INITIATED.label()));
        fleet.fleet().towline("policies", "clear", "--host", host, "connection.direction");
        awaitPolicy();
        awaitState(HostState.HOST_STATE_ONLINE);
      } else {
        assertThatThrownBy(() -> fleet.fleet().towline("policies", "set", "--host", host, wanted))
            .hasMessageContaining("the manager can't dial through it");
        assertThat(host(kind).getNotOnPathList()).contains("being dialled by the manager");
      }
    }
  }

  private static void firewall() {
    String rules =
        """
        rules:
          - {name: no discard, action: deny, direction: incoming, protocol: tcp, destination-port: 9}
        """;
    assertThat(endedOn(orders(ControlFirewall.Order.SET, rules)))
        .allSatisfy(target -> {
          assertThat(target.getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
          assertThat(target.getOutput().toStringUtf8()).contains("confirmed: 1 rules in force");
        });
    assertThat(endedOn(orders(ControlFirewall.Order.SHOW, "")))
        .allSatisfy(target -> assertThat(target.getOutput().toStringUtf8()).contains("no discard"));
    assertThat(endedOn(orders(ControlFirewall.Order.OFF, "")))
        .extracting(ActionTarget::getOutcome)
        .containsOnly(Outcome.OUTCOME_SUCCEEDED);
  }

  private static void firewallRollback() {
    String rules =
        """
        rules:
          - {name: cut off, action: deny, direction: outgoing, protocol: tcp, destination-ip: %s}
        """
            .formatted(fleet.block());
    assertThat(endedOn(orders(ControlFirewall.Order.SET, rules)))
        .allSatisfy(target -> {
          assertThat(target.getOutcome()).isEqualTo(Outcome.OUTCOME_FAILED);
          assertThat(target.getDetail()).startsWith("rolled back: ");
        });
    assertThat(endedOn(orders(ControlFirewall.Order.SHOW, "")))
        .allSatisfy(
            target -> assertThat(target.getOutput().toStringUtf8()).doesNotContain("cut off"));
  }

  /** One order for each path. */
  private static List<Action> orders(ControlFirewall.Order order, String rules) {
    return PATHS.stream()
        .map(kind ->
            fleet
                .fleet()
                .admin()
                .hosts()
                .controlHostFirewall(
                    ControlHostFirewallRequest.newBuilder()
                        .setHost(ParityFleet.name(kind))
                        .setOrder(
                            ControlFirewall.newBuilder()
                                .setOrder(order)
                                .setRules(rules)
                                .setConfirmWithinMs(10_000))
                        .build()))
        .toList();
  }

  private static List<ActionTarget> endedOn(List<Action> actions) {
    return actions.stream()
        .map(action ->
            Await.value(
                "the end of " + action.getId(),
                ParityFleet.BOUND,
                () ->
                    targets(action).stream()
                        .filter(target -> target.getState() == TargetState.TARGET_STATE_ENDED)
                        .findFirst()))
        .toList();
  }

  private static void trace() {
    for (Kind kind : PATHS) {
      List<TraceHop> hops =
          fleet
              .fleet()
              .admin()
              .hosts()
              .getHostTrace(GetHostRequest.newBuilder().setHost(ParityFleet.name(kind)).build())
              .getHopsList();
      int between =
          switch (kind) {
            case DIRECT -> 0;
            case PROXY -> 1;
            case RELAY -> 2;
            case PROXY_AND_RELAY -> 3;
            case KIND_UNSPECIFIED, UNRECOGNIZED -> throw new AssertionError(kind);
          };
      assertThat(hops).as("hops of %s", kind).hasSize(between + 2);
      assertThat(hops).extracting(TraceHop::getProblem).containsOnly("");
    }
  }

  /** Each from the nearest server: the manager, its proxy, or the relay child above it. */
  private static void updates() throws IOException {
    Path content = fleet.file("rules");
    Path odd = Files.createDirectories(content.resolve("bin")).resolve("100%25 größe");
    Files.writeString(odd, "any name");
    Files.writeString(content.resolve("noext"), "one");
    publish("1.0");
    for (Kind kind : PATHS) {
      fleet
          .fleet()
          .admin()
          .policies()
          .changeSettings(
              ChangeSettingsRequest.newBuilder()
                  .setHost(ParityFleet.name(kind))
                  .putSet("updates.components", "rules=" + fleet.component(kind))
                  .putSet("updates.source", fleet.updates(kind))
                  .putSet("updates.interval", "10s")
                  .putSet("updates.window", "0s")
                  .build());
    }
    awaitApplied("1.0");
    for (Kind kind : PATHS) {
      assertThat(fleet.component(kind).resolve("bin/100%25 größe")).hasContent("any name");
    }

    Files.writeString(content.resolve("noext"), "two");
    publish("1.1", "--hold");
    Path stored = fleet.published().resolve(RepositoryPaths.file(sha256(content.resolve("noext"))));
    Files.writeString(stored, "owt");
    fleet.fleet().towline("updates", "select", "rules", "1.1");
    Await.until(
        "the tampered file to be refused on every path",
        ParityFleet.BOUND,
        () ->
            status().getOtherHostsList().stream()
                    .filter(host -> host.getDetail().contains("tampered"))
                    .count()
                == PATHS.size());
    for (Kind kind : PATHS) {
      assertThat(fleet.component(kind).resolve("noext")).hasContent("one");
    }
    Files.writeString(stored, "two");
    awaitApplied("1.1");
    for (Kind kind : PATHS) {
      assertThat(fleet.component(kind).resolve("noext")).hasContent("two");
    }

    assertThat(fleet.fleet().towline("updates", "status")).contains("on 4 of 4");
    Path export = fleet.file("export");
    assertThat(fleet.fleet().towline("updates", "export", export.toString())).contains("files;");
    assertThat(export.resolve("content/rules/1.0/noext")).hasContent("one");
    assertThat(fleet.fleet().towline("updates", "check", fleet.updates(Kind.PROXY)))
        .doesNotContain("FAILED");
  }

  private static void publish(String version, String... options) {
    List<String> command =
        new ArrayList<>(List.of("updates", "import", fleet.file("rules").toString()));
    command.addAll(List.of("--component", "rules", "--version", version));
    command.addAll(List.of(options));
    assertThat(fleet.fleet().towline(command.toArray(String[]::new)))
        .contains("is published: 2 files");
  }

  private static void awaitApplied(String version) {
    Await.until(
        "version " + version + " on every path",
        ParityFleet.BOUND,
        () -> status().getVersion().equals(version) && status().getApplied() == PATHS.size());
  }

  private static ComponentStatus status() {
    return fleet
        .fleet()
        .admin()
        .updates()
        .getUpdateStatus(GetUpdateStatusRequest.getDefaultInstance())
        .getComponents(0);
  }

  private static String sha256(Path file) throws IOException {
    return HexFormat.of().formatHex(Fingerprints.sha256(file));
  }

  /** A killed agent is lost, and no other than one that was stopped. */
  private static void goodbye() {
    fleet.agents().values().forEach(Program::kill);
    awaitState(HostState.HOST_STATE_OFFLINE);
    startAgain();
    fleet.agents().values().forEach(Program::stop);
    awaitState(HostState.HOST_STATE_STOPPED);
    startAgain();
  }

  private static void uninstall() {
    PATHS.forEach(fleet::uninstalled);
    fleet.agents().values().forEach(Program::stop);
    awaitState(HostState.HOST_STATE_UNINSTALLED);
  }

  private static Action run(String script) {
    return run(shell(script));
  }

  private static RunAction.Builder shell(String script) {
    return RunAction.newBuilder().addAllCommand(List.of("/bin/sh", "-c", script));
  }

  private static Action run(RunAction.Builder what) {
    return fleet
        .fleet()
        .admin()
        .actions()
        .runAction(
            RunActionRequest.newBuilder()
                .setSelector("group=" + ParityFleet.GROUP)
                .setRun(what)
                .build());
  }

  private static List<ActionTarget> ended(Action action) {
    awaitTargets(action, target -> target.getState() == TargetState.TARGET_STATE_ENDED);
    return targets(action);
  }

  private static void awaitTargets(Action action, Predicate<ActionTarget> wanted) {
    Await.until(
        "the action on every path",
        ParityFleet.BOUND,
        () -> targets(action).stream().filter(wanted).count() == PATHS.size());
  }

  private static List<ActionTarget> targets(Action action) {
    return fleet
        .fleet()
        .admin()
        .actions()
        .getAction(GetActionRequest.newBuilder().setAction(action.getId()).build())
        .getTargetsList();
  }

  private static List<Host> hosts() {
    return PATHS.stream().map(ParityIT::host).toList();
  }

  private static Host host(Kind kind) {
    return fleet
        .fleet()
        .admin()
        .hosts()
        .getHost(GetHostRequest.newBuilder().setHost(ParityFleet.name(kind)).build());
  }

  private static Map<String, Long> generations() {
    return hosts().stream().collect(Collectors.toMap(Host::getName, Host::getGeneration));
  }

  private static void awaitHosts(String what, Predicate<Host> wanted) {
    Await.until(what, ParityFleet.BOUND, () -> hosts().stream().allMatch(wanted));
  }

  private static void awaitState(HostState state) {
    awaitHosts("every host to be " + state, host -> host.getState() == state);
  }
}
