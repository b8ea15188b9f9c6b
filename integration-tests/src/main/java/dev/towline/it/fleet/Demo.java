package dev.towline.it.fleet;

import dev.towline.cli.login.AdminClient;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path.Kind;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.RunActionRequest;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;

/**
 * {@code bin/demo}: a manager, a relay pair, a proxy and six agents as processes on this machine.
 * With {@code --check} it runs an action on all of them, says what came back and ends.
 */
public final class Demo {
  private static final int AGENTS = 6;

  private final ProcessFleet fleet;
  private final PrintStream out;
  private final long startedNanos = System.nanoTime();

  private Demo(ProcessFleet fleet, PrintStream out) {
    this.fleet = fleet;
    this.out = out;
  }

  public static void main(String[] arguments) throws Exception {
    boolean check = List.of(arguments).contains("--check");
    Path repository = Path.of(System.getProperty("towline.repository", "."));
    Path directory = Files.createTempDirectory("towline-demo-");
    ProcessFleet fleet =
        new ProcessFleet(
            repository,
            directory,
            LoopbackAddresses.free(new Random()),
            List.of("--heartbeat-interval", "5s"));
    Thread cleanUp =
        new Thread(
            () -> {
              fleet.close();
              deleteQuietly(directory);
            },
            "clean-up");
    Runtime.getRuntime().addShutdownHook(cleanUp);
    int status = 1;
    try {
      Demo demo = new Demo(fleet, System.out);
      demo.start();
      status = check ? demo.check() : demo.runUntilInterrupted();
    } catch (RuntimeException | AssertionError e) {
      System.err.println("bin/demo: " + e.getMessage());
      System.err.println(tails(fleet));
    }
    System.exit(status);
  }

  private void start() {
    step("manager", fleet::startManager);
    step("proxy", fleet::startProxy);
    step("relay pair (the child never dials)", fleet::startRelayPair);
    step(
        AGENTS + " agents",
        () -> {
          for (ProcessFleet.Way way : ProcessFleet.Way.values()) {
            for (int number = 1; number <= 2; number++) {
              fleet.startAgent(agentName(way, number), way);
            }
          }
        });
    step("all of them online", () -> fleet.awaitOnline(AGENTS, Duration.ofSeconds(60)));
    table(fleet.hosts());
    out.println();
    out.println("console   " + fleet.consoleUrl() + "/");
    out.println("user      admin");
    try {
      out.println("password  " + Files.readString(fleet.passwordFile()).strip());
    } catch (IOException e) {
      throw new IllegalStateException("the manager wrote no password", e);
    }
    out.println(
        "operator  TOWLINE_CONFIG_DIR=" + fleet.directory().resolve("operator") + " bin/towline …");
    out.println();
  }

  private int runUntilInterrupted() throws InterruptedException {
    out.println("Running until Ctrl-C.");
    new CountDownLatch(1).await();
    return 0;
  }

  private int check() {
    out.println("uname -a on every host:");
    Map<String, Host> hosts =
        fleet.hosts().stream().collect(Collectors.toMap(Host::getId, host -> host));
    Action action = runToEnd(fleet.admin(), List.of("uname", "-a"));
    int good = 0;
    for (ActionTarget target : byName(action).values()) {
      Host host = hosts.get(target.getHostId());
      String output = target.getOutput().toString(StandardCharsets.UTF_8).strip();
      boolean ok = target.getOutcome() == Outcome.OUTCOME_SUCCEEDED && !output.isEmpty();
      good += ok ? 1 : 0;
      out.println(
          "  "
              + target.getHostName()
              + "  ["
              + (host == null ? "unknown" : path(host))
              + "]  "
              + (ok ? output : target.getOutcome() + " " + target.getDetail()));
    }
    long paths = hosts.values().stream().map(host -> host.getPath().getKind()).distinct().count();
    if (good != AGENTS || paths != 3) {
      out.println(
          "FAILED: " + good + " of " + AGENTS + " hosts answered, over " + paths + " of 3 ways");
      return 1;
    }
    out.println("OK: " + good + " hosts answered, over " + paths + " ways");
    return 0;
  }

  static Action runToEnd(AdminClient admin, List<String> command) {
    Action created =
        admin
            .actions()
            .runAction(
                RunActionRequest.newBuilder()
                    .setSelector("all")
                    .setRun(RunAction.newBuilder().addAllCommand(command).setTimeLimitMs(20_000))
                    .build());
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
    throw new IllegalStateException("the manager ended the watch before the action had ended");
  }

  private static TreeMap<String, ActionTarget> byName(Action action) {
    TreeMap<String, ActionTarget> targets = new TreeMap<>();
    action.getTargetsList().forEach(target -> targets.put(target.getHostName(), target));
    return targets;
  }

  private void table(List<Host> hosts) {
    out.println();
    out.printf("%-12s %-8s %-8s %s%n", "HOST", "STATE", "GROUP", "PATH");
    for (Host host : hosts) {
      out.printf(
          "%-12s %-8s %-8s %s%n",
          host.getName(),
          host.getState().name().replace("HOST_STATE_", "").toLowerCase(java.util.Locale.ROOT),
          host.getGroup(),
          path(host));
    }
  }

  private static String path(Host host) {
    StringBuilder text = new StringBuilder("agent");
    host.getPath().getHopsList().forEach(hop -> text.append(" > ").append(hop.getName()));
    text.append(" > manager");
    return host.getPath().getKind() == Kind.DIRECT ? "agent > manager (direct)" : text.toString();
  }

  private void step(String what, Runnable work) {
    out.print("starting " + what + " … ");
    out.flush();
    long from = System.nanoTime();
    work.run();
    out.printf(
        "ok, %.1f s (%.1f s in all)%n",
        (System.nanoTime() - from) / 1e9, (System.nanoTime() - startedNanos) / 1e9);
  }

  private static String agentName(ProcessFleet.Way way, int number) {
    return way.name().toLowerCase(java.util.Locale.ROOT) + "-" + number;
  }

  private static String tails(ProcessFleet fleet) {
    StringBuilder text = new StringBuilder();
    for (Program program : fleet.programs()) {
      text.append("--- ").append(program.name()).append(" said last:\n");
      try {
        List<String> lines = program.outputSinceStart().lines().toList();
        lines
            .subList(Math.max(0, lines.size() - 6), lines.size())
            .forEach(line -> text.append(line).append('\n'));
      } catch (IOException e) {
        text.append("(no log)\n");
      }
    }
    return text.toString();
  }

  private static void deleteQuietly(Path directory) {
    try {
      ProcessFleet.deleteTree(directory);
    } catch (IOException e) {
      System.err.println("bin/demo: " + directory + " could not be removed: " + e.getMessage());
    }
  }
}
