package dev.towline.it.sending;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.Event;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.GetSendingPolicyRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.ProxySending;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.RunActionRequest;
import dev.towline.proto.v1.SendingPolicyView;
import dev.towline.proto.v1.TargetState;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real programs on loopback addresses; the bytes are counted by nft. Needs root and nft. */
class SendingIT {
  private static final boolean LONG = Boolean.getBoolean("towline.long");

  @TempDir Path directory;

  @Test
  @Requirement({"H1", "P7", "P8"})
  void logs_managerAwayAndProxyKilledAndModeSwitched_areStoredOnceOrExported() throws Exception {
    try (SendingFleet fleet = new SendingFleet(directory)) {
      Program proxy = fleet.startProxy(1);
      fleet.startAgent("direct-1", 0);
      fleet.startAgent("behind-1", 1);
      append(fleet, 1, 200);
      awaitStored(fleet, 200);

      fleet.manager().kill();
      append(fleet, 201, 400);
      // The agent behind the proxy is rid of them.
      Await.until(
          "the proxy to keep them",
          SendingFleet.BOUND,
          () -> spoolHolds(fleet.proxyData(1), "line 400"));
      proxy.kill();
      append(fleet, 401, 500);
      proxy.start().awaitLine("agents are accepted", SendingFleet.BOUND);
      fleet.manager().start().awaitLine("towline-manager ready", SendingFleet.BOUND);
      append(fleet, 501, 600);
      awaitStored(fleet, 600);
      assertThat(fleet.fleet().towline("logs", "behind-1", "--limit", "3"))
          .contains("line 600")
          .contains("INFO");

      Path export = directory.resolve("export");
      fleet
          .fleet()
          .towline(
              "proxies",
              "policy",
              SendingFleet.CLUSTER,
              "--mode",
              "cache",
              "--directory",
              export.toString());
      Await.until(
          "the export file", SendingFleet.BOUND, () -> Files.exists(export.resolve("export.log")));
      append(fleet, 601, 700);
      Await.until(
          "the exported lines",
          SendingFleet.BOUND,
          () -> exported(export).stream().filter(l -> l.contains("line ")).count() >= 100);
      fleet.fleet().towline("proxies", "policy", SendingFleet.CLUSTER, "--mode", "return");
      append(fleet, 701, 800);
      Await.until(
          "the lines after the switch",
          SendingFleet.BOUND,
          () -> fleet.stored("behind-1").contains("line 800"));
      List<String> all = new ArrayList<>(fleet.stored("behind-1"));
      assertThat(all).doesNotHaveDuplicates();
      exported(export).stream()
          .map(line -> line.replaceAll(".*\"message\":\"(line \\d+)\".*", "$1"))
          .filter(message -> message.startsWith("line "))
          .forEach(all::add);
      assertThat(all.stream().distinct()).containsExactlyInAnyOrderElementsOf(lines(1, 800));
    }
  }

  /**
   * P7: all kinds of records, of agents that never come back; results so large that they go in
   * parts.
   */
  @Test
  @Requirement({"H5", "P7"})
  void resultAndGoodbye_managerAwayAndAgentGone_areThereOnceWhenItIsBack() throws Exception {
    try (SendingFleet fleet = new SendingFleet(directory)) {
      fleet.startProxy(1);
      Program killed = fleet.startAgent("killed-1", 1);
      Program stopped = fleet.startAgent("stopped-1", 1);
      Path go = directory.resolve("go");
      Action action =
          fleet
              .fleet()
              .admin()
              .actions()
              .runAction(
                  RunActionRequest.newBuilder()
                      .setSelector("group=web")
                      .setRun(
                          RunAction.newBuilder()
                              .addAllCommand(
                                  List.of(
                                      "/bin/sh",
                                      "-c",
                                      "until [ -e "
                                          + go
                                          + " ]; do sleep 0.1; done; head -c 300000 /dev/zero"
                                          + " | tr '\\000' x"))
                              .setOutputLimitBytes(1 << 20)
                              .setTimeLimitMs(SendingFleet.BOUND.toMillis()))
                      .build());
      Await.until(
          "both to run it",
          SendingFleet.BOUND,
          () ->
              targets(fleet, action.getId()).stream()
                  .allMatch(t -> t.getState() == TargetState.TARGET_STATE_RUNNING));
      fleet.manager().kill();
      Files.createFile(go);
      Await.until(
          "the proxy to keep three parts of both results",
          SendingFleet.BOUND,
          () -> fleet.kept(1, "result") == 6);
      killed.kill();
      stopped.stop();
      Await.until(
          "the proxy to keep how they went",
          SendingFleet.BOUND,
          // What it saw of both, and what one of them said.
          () -> fleet.kept(1, "presence") == 3);
      fleet.manager().start().awaitLine("towline-manager ready", SendingFleet.BOUND);

      Await.until(
          "the results",
          SendingFleet.BOUND,
          () ->
              targets(fleet, action.getId()).stream()
                  .allMatch(t -> t.getState() == TargetState.TARGET_STATE_ENDED));
      assertThat(targets(fleet, action.getId()))
          .extracting(ActionTarget::getOutcome, t -> t.getOutput().toStringUtf8())
          .containsOnly(tuple(Outcome.OUTCOME_SUCCEEDED, "x".repeat(300_000)));
      Await.until("what the proxy saw", SendingFleet.BOUND, () -> fleet.kept(1, "presence") == 0);
      assertThat(fleet.events("host.went")).hasSize(2);
      assertThat(fleet.events("host.said_goodbye")).hasSize(1);
      // A manager that was killed gives hosts time to come back before it calls them lost.
      Await.until(
          "the one to be stopped and the other lost",
          SendingFleet.BOUND,
          () ->
              fleet.fleet().hosts().stream()
                  .collect(Collectors.toMap(Host::getName, Host::getState))
                  .equals(
                      Map.of(
                          "stopped-1", HostState.HOST_STATE_STOPPED,
                          "killed-1", HostState.HOST_STATE_OFFLINE)));
      // The agent still has its copy: it comes again and is the same.
      killed.start().awaitLine("towline-agent online", SendingFleet.BOUND);
      fleet.fleet().towline("run", "--on", "killed-1", "--no-op");
      assertThat(fleet.events("result.forged")).isEmpty();
      assertThat(targets(fleet, action.getId()))
          .extracting(ActionTarget::getOutcome)
          .containsOnly(Outcome.OUTCOME_SUCCEEDED);
    }
  }

  /** While both proxies still hold what it logged before, an agent goes to the other, and back. */
  @Test
  @Requirement({"H1", "P2", "P7"})
  void logs_agentThatChangesProxiesWithLogsInFlight_areStoredOnce() throws Exception {
    try (SendingFleet fleet = new SendingFleet(directory)) {
      fleet
          .fleet()
          .towline("proxies", "policy", SendingFleet.CLUSTER, "--proxy-bandwidth", "32kbit/s");
      Program first = fleet.startProxy(1);
      fleet.startAgent("moving-1", 1, 2);
      Program second = fleet.startProxy(2);
      fleet.append("moving-1", 1, 1500);
      awaitKept(fleet, 1);
      first.kill();
      fleet.append("moving-1", 1501, 3000);
      awaitKept(fleet, 2);
      first.start().awaitLine("towline-proxy online", SendingFleet.BOUND);
      second.kill();
      fleet.append("moving-1", 3001, 3500);
      Await.until("it to be back at the first", SendingFleet.BOUND, () -> fleet.clients(1) == 1);
      second.start().awaitLine("towline-proxy online", SendingFleet.BOUND);
      fleet
          .fleet()
          .towline("proxies", "policy", SendingFleet.CLUSTER, "--proxy-bandwidth", "unlimited");
      Await.until("all of them", SendingFleet.BOUND, () -> fleet.stored("moving-1").size() >= 3500);
      assertThat(fleet.stored("moving-1")).containsExactlyInAnyOrderElementsOf(lines(1, 3500));
    }
  }

  private static void awaitKept(SendingFleet fleet, int proxy) {
    Await.until(
        "logs in the spool of proxy " + proxy,
        SendingFleet.BOUND,
        () -> fleet.kept(proxy, "log") > 100);
  }

  private static List<ActionTarget> targets(SendingFleet fleet, String action) {
    return fleet
        .fleet()
        .admin()
        .actions()
        .getAction(GetActionRequest.newBuilder().setAction(action).build())
        .getTargetsList();
  }

  private static void append(SendingFleet fleet, int first, int last) throws IOException {
    fleet.append("direct-1", first, last);
    fleet.append("behind-1", first, last);
  }

  private static void awaitStored(SendingFleet fleet, int last) {
    for (String host : List.of("direct-1", "behind-1")) {
      Await.until(
          "logs of " + host + " up to " + last,
          SendingFleet.BOUND,
          () -> fleet.stored(host).size() >= last);
      assertThat(fleet.stored(host)).containsExactlyElementsOf(lines(1, last));
    }
  }

  private static List<String> lines(int first, int last) {
    return IntStream.rangeClosed(first, last).mapToObj(i -> "line " + i).toList();
  }

  private static boolean spoolHolds(Path data, String text) throws IOException {
    try (Stream<Path> files = Files.list(data.resolve("spool"))) {
      for (Path file : files.toList()) {
        if (new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).contains(text)) {
          return true;
        }
      }
    }
    return false;
  }

  private static List<String> exported(Path export) throws IOException {
    return Files.readAllLines(export.resolve("export.log"));
  }

  /** P7: saturated, three proxies share one cap; what leaves their addresses is counted. */
  @Test
  @Requirement("P7")
  void bandwidth_threeProxiesOneCapSaturated_isKeptWithinFivePercent() throws Exception {
    long bits = 4_000_000;
    int window = LONG ? 60 : 15;
    try (SendingFleet fleet = new SendingFleet(directory)) {
      fleet
          .fleet()
          .towline(
              "proxies",
              "policy",
              SendingFleet.CLUSTER,
              "--bandwidth",
              "4Mbit/s",
              "--link-capacity",
              "5Mbit/s");
      String table = "towline_it_" + ProcessHandle.current().pid();
      try {
        nft("add table inet " + table);
        nft("add chain inet " + table + " out { type filter hook output priority 0; }");
        for (int i = 1; i <= 3; i++) {
          fleet.startProxy(i);
          fleet.startAgent("busy-" + i, i);
        }
        for (String rule : rules(fleet)) {
          nft("add rule inet " + table + " out " + rule);
        }
        // Far more than may be sent, so that it lasts; unevenly, so that the parts differ.
        String megabyte = ("x".repeat(998) + "\n").repeat(1000);
        for (int i = 1; i <= 3; i++) {
          for (int n = 0; n < (LONG ? 40 : 20); n++) {
            fleet.append("busy-" + i, megabyte);
          }
        }
        Await.until(
            "every proxy to have something to send",
            SendingFleet.BOUND,
            () ->
                policy(fleet).getProxiesList().stream()
                        .filter(proxy -> proxy.getWaitingBytes() > 0)
                        .count()
                    == 3);
        // Until each has its part.
        Await.until("the parts to settle", SendingFleet.BOUND, () -> settled(fleet, bits));
        long before = counted(table);
        long from = System.nanoTime();
        // A window of time is what is measured.
        var _ = new CountDownLatch(1).await(window, TimeUnit.SECONDS);
        long bytes = counted(table) - before;
        double seconds = (System.nanoTime() - from) / 1e9;
        double measured = 8 * bytes / seconds;
        System.out.printf(
            "sending: %.0f bit/s of %d over %.1f s (%.2f %%)%n",
            measured, bits, seconds, 100 * measured / bits);
        // The cap is what is promised; that all of it is used takes a machine with time for it.
        assertThat(measured).isBetween((LONG ? 0.95 : 0.5) * bits, 1.05 * bits);
        // Nobody waits for logs: directives go there and back meanwhile.
        List<Duration> took = Directives.roundTrips(fleet.fleet().admin(), "group=web", 100);
        System.out.printf(
            "sending: directives to all under saturation: p50 %d ms, p99 %d ms%n",
            took.get(49).toMillis(), took.get(98).toMillis());
        assertThat(policy(fleet).getProxiesList())
            .allSatisfy(proxy -> assertThat(proxy.getWaitingBytes()).isGreaterThan(1 << 20));
        assertThat(fleet.fleet().towline("proxies", "policy", SendingFleet.CLUSTER))
            .contains("WARNING: required bandwidth");
        resourceWarning(fleet);
      } finally {
        nft("delete table inet " + table);
      }
    }
  }

  /** P8: a spool that may grow beyond 60 % of the disk is told of, and told to be over. */
  private static void resourceWarning(SendingFleet fleet) {
    fleet.fleet().towline("proxies", "policy", SendingFleet.CLUSTER, "--size", "100TB");
    Await.until(
        "the warning about resources",
        SendingFleet.BOUND,
        () ->
            // A busy machine may have been a reason before.
            fleet.events("sending.resources_above_60_percent").stream()
                        .map(Event::getSubject)
                        .distinct()
                        .count()
                    == 3
                && fleet
                    .fleet()
                    .towline("proxies", "policy", SendingFleet.CLUSTER)
                    .contains("requires"));
    fleet.fleet().towline("proxies", "policy", SendingFleet.CLUSTER, "--size", "1GB");
    Await.until(
        "the report that the spools fit",
        SendingFleet.BOUND,
        () -> policy(fleet).getProxiesList().stream().allMatch(p -> p.getDiskPercent() < 55));
  }

  private static List<String> rules(SendingFleet fleet) {
    // A proxy's connections leave from its own address only when the route says so; the port of
    // the manager's sessions is what tells them from the rest.
    return List.of(
        "ip daddr " + fleet.fleet().managerHost() + " tcp dport 7443 meta skuid 0 counter");
  }

  private static boolean settled(SendingFleet fleet, long bits) {
    long sum = policy(fleet).getProxiesList().stream().mapToLong(ProxySending::getLimit).sum();
    return sum > 0.98 * bits && sum <= bits;
  }

  private static SendingPolicyView policy(SendingFleet fleet) {
    return fleet
        .fleet()
        .admin()
        .sendingPolicies()
        .getSendingPolicy(
            GetSendingPolicyRequest.newBuilder().setCluster(SendingFleet.CLUSTER).build());
  }

  private static long counted(String table) throws Exception {
    Matcher counters = Pattern.compile("bytes (\\d+)").matcher(nft("list table inet " + table));
    long sum = 0;
    while (counters.find()) {
      sum += Long.parseLong(counters.group(1));
    }
    return sum;
  }

  private static String nft(String command) throws Exception {
    Process nft = new ProcessBuilder("nft", command).redirectErrorStream(true).start();
    String output = new String(nft.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(nft.waitFor()).as("nft %s: %s", command, output).isZero();
    return output;
  }
}
