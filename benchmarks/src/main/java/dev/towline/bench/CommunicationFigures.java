package dev.towline.bench;

import dev.towline.bench.communication.PolicyLoad;
import dev.towline.bench.communication.UplinkLoad;
import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.ProcessFleet.Way;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.testing.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How agents and manager talk: how fast a policy comes to 1,000 hosts over every kept-open way and
 * direction, how fast a loss is seen, and what a heartbeat through an uplink costs the manager. The
 * hosts' state is on a file system in memory where there is one: a thousand disks are not one.
 */
final class CommunicationFigures implements Bench.Benchmark {
  private static final int HOSTS = Bench.agents(1_000);
  private static final int CHANGES = 5;
  private static final int RATE = Integer.getInteger("towline.bench.rate", 60_000);
  private static final int WARMING_SECONDS = 20;
  private static final int BEATING_SECONDS = 20;
  private static final Duration BOUND = Duration.ofSeconds(300);
  private static final Pattern EVERYWHERE =
      Pattern.compile("policy (\\S+) everywhere: p50 (\\d+) p99 (\\d+) last (\\d+)");
  private static final Pattern SENT = Pattern.compile("load done (\\d+) in (\\d+) ms");

  @Override
  public String about() {
    return "policies to 1,000 hosts, seeing a loss, heartbeats through uplinks"
        + " (TOWLINE_BENCH_AGENTS=N for fewer)";
  }

  @Override
  public void run(Path repository, Report report) throws Exception {
    Path memory = Path.of("/dev/shm");
    Path directory =
        Files.isDirectory(memory)
            ? Files.createTempDirectory(memory, "towline-bench-")
            : Files.createTempDirectory("towline-bench-");
    try {
      policies(repository, Files.createDirectory(directory.resolve("policies")), report);
      heartbeats(repository, Files.createDirectory(directory.resolve("heartbeats")), report);
    } finally {
      ProcessFleet.deleteTree(directory);
    }
  }

  private static void policies(Path repository, Path directory, Report report) throws Exception {
    try (ProcessFleet fleet = fleet(repository, directory)) {
      fleet.startManager();
      fleet.startProxy();
      fleet.startRelayPair();
      Program load =
          fleet.startJava(
              "load",
              PolicyLoad.class,
              List.of("-Xmx2g", "-Xss256k"),
              List.of(
                  directory.resolve("hosts").toString(),
                  String.valueOf(HOSTS),
                  fleet.writeEnrollment("direct", Way.DIRECT, HOSTS).toString(),
                  fleet.writeEnrollment("proxied", Way.PROXY, HOSTS).toString(),
                  fleet.writeEnrollment("relayed", Way.RELAY, HOSTS).toString(),
                  "listen=" + fleet.writeEnrollment("listening", Way.DIRECT, HOSTS)));
      load.awaitLine("load online", BOUND);
      List<Double> runs = new ArrayList<>();
      for (int i = 0; i <= CHANGES; i++) {
        String value = (600 + i) + "s";
        long from = System.currentTimeMillis();
        var _ =
            fleet
                .admin()
                .policies()
                .changeSettings(
                    ChangeSettingsRequest.newBuilder()
                        .setPolicy("base")
                        .putSet(EffectivePolicy.HEARTBEAT_INTERVAL, value)
                        .build());
        Matcher found = await(load, value);
        report.note(
            "policy to %d hosts, ms: p50 %d, p99 %d, last %d"
                .formatted(
                    HOSTS,
                    Long.parseLong(found.group(2)) - from,
                    Long.parseLong(found.group(3)) - from,
                    Long.parseLong(found.group(4)) - from));
        // The first one warms up.
        if (i > 0) {
          runs.add((double) (Long.parseLong(found.group(3)) - from));
        }
      }
      report.add(Figure.atMost("policy.delivery.p99_ms", Samples.median(runs), "ms", 1_000));
      load.kill();
      presence(fleet, report);
    }
  }

  private static Matcher await(Program load, String value) {
    return Await.value(
        "policy " + value + " everywhere",
        BOUND,
        () -> {
          Matcher matcher = EVERYWHERE.matcher(output(load));
          while (matcher.find()) {
            if (matcher.group(1).equals(value) || matcher.group(1).equals(minutes(value))) {
              return Optional.of(matcher);
            }
          }
          return Optional.empty();
        });
  }

  /** As the manager writes whole minutes. */
  private static String minutes(String seconds) {
    int number = Integer.parseInt(seconds.substring(0, seconds.length() - 1));
    return number % 60 == 0 ? number / 60 + "m" : seconds;
  }

  private static void presence(ProcessFleet fleet, Report report) throws Exception {
    Program closed = fleet.startAgent("closed", Way.DIRECT);
    Program silent = fleet.startAgent("silent", Way.DIRECT);
    closed.awaitLine("towline-agent online", BOUND);
    silent.awaitLine("towline-agent online", BOUND);
    long from = System.nanoTime();
    closed.kill();
    awaitState(fleet, "closed", HostState.HOST_STATE_OFFLINE);
    report.add(Figure.atMost("presence.closed_s", seconds(from), "s", 5));
    signal(silent, "STOP");
    from = System.nanoTime();
    awaitState(fleet, "silent", HostState.HOST_STATE_OFFLINE);
    report.add(Figure.atMost("presence.silent_s", seconds(from), "s", 45));
    signal(silent, "CONT");
  }

  private static void heartbeats(Path repository, Path directory, Report report) throws Exception {
    try (ProcessFleet fleet = fleet(repository, directory)) {
      Program manager = fleet.startManager();
      fleet.towline(
          "proxies", "create-cluster", "load", "--address", "load.invalid", "--port", "443");
      Path proxy = directory.resolve("load-proxy.json");
      fleet.towline("proxies", "command", "load", "--enrollment-file", proxy.toString());
      Program load =
          fleet.startJava(
              "load",
              UplinkLoad.class,
              List.of("-Xmx1g"),
              List.of(
                  directory.resolve("hosts").toString(),
                  proxy.toString(),
                  fleet.writeEnrollment("agents", Way.DIRECT, HOSTS).toString(),
                  String.valueOf(HOSTS),
                  String.valueOf(RATE),
                  String.valueOf(WARMING_SECONDS),
                  String.valueOf(BEATING_SECONDS)));
      load.awaitLine("load warm", BOUND);
      long from = System.currentTimeMillis();
      Duration before = manager.processorTime();
      load.awaitLine("load done", BOUND);
      Duration used = manager.processorTime().minus(before);
      Matcher done = SENT.matcher(output(load));
      if (!done.find()) {
        throw new IllegalStateException("the load did not end");
      }
      long sent = Long.parseLong(done.group(1));
      double perSecond = sent * 1000.0 / Long.parseLong(done.group(2));
      // What the last ones said is a second old at most when it is on the disk.
      long lastWrite = System.currentTimeMillis() + 2_000;
      Await.until(
          "the last batch", Duration.ofSeconds(10), () -> System.currentTimeMillis() > lastWrite);
      manager.kill();
      manager.start().awaitLine("towline-manager ready", BOUND);
      long seen = fleet.hosts().stream().filter(h -> h.getLastSeenMs() > from).count();
      report.note(
          "heartbeats: %d sent, %d of %d hosts seen since, read from the store after kill -9"
              .formatted(sent, seen, HOSTS));
      if (seen != HOSTS) {
        throw new IllegalStateException("last seen of " + (HOSTS - seen) + " hosts is lost");
      }
      report.add(new Figure("manager.heartbeats_per_s", perSecond, "1/s", 50_000, false, ""));
      report.add(Figure.atMost("manager.heartbeat_us", used.toNanos() / 1e3 / sent, "us", 10));
    }
  }

  private static ProcessFleet fleet(Path repository, Path directory) {
    return new ProcessFleet(repository, directory, LoopbackAddresses.free(new Random()), List.of());
  }

  private static void awaitState(ProcessFleet fleet, String name, HostState state) {
    Await.until(name + " to be " + state, BOUND, () -> host(fleet, name).getState() == state);
  }

  private static Host host(ProcessFleet fleet, String name) {
    return fleet.admin().hosts().getHost(GetHostRequest.newBuilder().setHost(name).build());
  }

  private static void signal(Program program, String signal)
      throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + signal, String.valueOf(program.pid())).start().waitFor();
  }

  private static double seconds(long from) {
    return (System.nanoTime() - from) / 1e9;
  }

  private static String output(Program program) {
    try {
      return program.outputSinceStart();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
