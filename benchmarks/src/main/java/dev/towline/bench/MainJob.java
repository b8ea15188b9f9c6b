package dev.towline.bench;

import dev.towline.cli.login.AdminClient;
import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.RunActionRequest;
import dev.towline.testing.Await;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * The main job: from the install line to a result, over every way. Directives are measured at the
 * admin API, from the request to the event that says the result is stored.
 */
final class MainJob implements Bench.Benchmark {
  private static final int WARM_UP = 3000;
  private static final int DIRECTIVES = 1000;
  private static final int ACTIONS = 200;
  private static final int RUNS = 3;
  private static final Duration IDLE = Duration.ofSeconds(60);

  @Override
  public String about() {
    return "install, directive and action times over each way; the agent's idle cost";
  }

  @Override
  public void run(Path repository, Report report) throws Exception {
    new InstallTime(repository).measure(report);
    Path directory = Files.createTempDirectory("towline-bench-");
    try (ProcessFleet fleet =
        new ProcessFleet(repository, directory, LoopbackAddresses.free(new Random()), List.of())) {
      fleet.startManager();
      fleet.startProxy();
      fleet.startRelayPair();
      Map<ProcessFleet.Way, Program> agents = new EnumMap<>(ProcessFleet.Way.class);
      {
        AdminClient admin = fleet.admin();
        for (ProcessFleet.Way way : ProcessFleet.Way.values()) {
          Program agent = fleet.startAgent(host(way), way);
          agents.put(way, agent);
          agent.awaitLine("towline-agent online", Duration.ofSeconds(60));
          long online = System.nanoTime();
          int expected = agents.size();
          fleet.awaitOnline(expected, Duration.ofSeconds(30));
          report.add(
              Figure.atMost(
                  "mainjob." + name(way) + ".listed_s",
                  (System.nanoTime() - online) / 1e9,
                  "s",
                  1));
        }
        for (ProcessFleet.Way way : ProcessFleet.Way.values()) {
          directives(admin, way, report);
        }
        actions(admin, report);
        idle(agents.get(ProcessFleet.Way.DIRECT), report);
      }
    } finally {
      ProcessFleet.deleteTree(directory);
    }
  }

  private static void directives(AdminClient admin, ProcessFleet.Way way, Report report) {
    RunActionRequest request =
        RunActionRequest.newBuilder().setSelector("name=" + host(way)).setNoOp(true).build();
    repeat(admin, request, WARM_UP);
    List<Samples> samples =
        IntStream.range(0, RUNS).mapToObj(_ -> repeat(admin, request, DIRECTIVES)).toList();
    List<Double> runs = samples.stream().map(run -> run.percentile(99)).toList();
    report.note(
        "over %s: p50 of each run %s, p99 %s"
            .formatted(name(way), samples.stream().map(run -> run.percentile(50)).toList(), runs));
    report.add(
        Figure.atMost(
            "mainjob.directive." + name(way) + ".p99_ms",
            Samples.median(runs),
            "ms",
            way == ProcessFleet.Way.RELAY ? 30 : 25));
  }

  /** One that does nothing, to its end. */
  static void directive(AdminClient admin, String host) {
    var _ =
        repeat(
            admin,
            RunActionRequest.newBuilder().setSelector("name=" + host).setNoOp(true).build(),
            1);
  }

  private static void actions(AdminClient admin, Report report) {
    RunActionRequest request =
        RunActionRequest.newBuilder()
            .setSelector("name=" + host(ProcessFleet.Way.DIRECT))
            .setRun(RunAction.newBuilder().addCommand("/bin/true").setTimeLimitMs(10_000))
            .build();
    repeat(admin, request, 20);
    report.add(
        Figure.atMost(
            "mainjob.action.true.p99_ms",
            repeat(admin, request, ACTIONS).percentile(99),
            "ms",
            100));
  }

  private static Samples repeat(AdminClient admin, RunActionRequest request, int times) {
    Samples samples = new Samples();
    for (int i = 0; i < times; i++) {
      long from = System.nanoTime();
      Action ended = runToEnd(admin, request);
      samples.addNanos(System.nanoTime() - from);
      ActionTarget target = ended.getTargets(0);
      if (target.getOutcome() != Outcome.OUTCOME_SUCCEEDED) {
        throw new IllegalStateException("ended as " + target.getOutcome() + ": " + target);
      }
    }
    return samples;
  }

  private static Action runToEnd(AdminClient admin, RunActionRequest request) {
    Action created = admin.actions().runAction(request);
    if (created.getTargetsCount() != 1) {
      throw new IllegalStateException("one host expected: " + created);
    }
    Iterator<ActionEvent> events =
        admin
            .actionWatches()
            .watchAction(GetActionRequest.newBuilder().setAction(created.getId()).build());
    while (events.hasNext()) {
      ActionEvent event = events.next();
      if (event.hasEnded()) {
        return event.getEnded();
      }
    }
    throw new IllegalStateException("the watch ended before the action");
  }

  private static void idle(Program agent, Report report) throws IOException {
    Duration before = agent.processorTime();
    long from = System.nanoTime();
    Await.until(
        "the idle minute to pass",
        IDLE.plusSeconds(5),
        () -> System.nanoTime() - from > IDLE.toNanos());
    double seconds = (System.nanoTime() - from) / 1e9;
    double used = agent.processorTime().minus(before).toMillis() / 1e3;
    report.add(Figure.atMost("mainjob.agent.rss_mib", agent.residentKib() / 1024.0, "MiB", 96));
    report.add(Figure.atMost("mainjob.agent.idle_cpu_percent", 100 * used / seconds, "%", 0.5));
  }

  private static String host(ProcessFleet.Way way) {
    return "agent-" + name(way);
  }

  private static String name(ProcessFleet.Way way) {
    return way.name().toLowerCase(Locale.ROOT);
  }
}
