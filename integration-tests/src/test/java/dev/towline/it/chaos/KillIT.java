package dev.towline.it.chaos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.towline.cli.login.AdminClient;
import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.RunActionRequest;
import dev.towline.testing.Await;
import dev.towline.testing.Promised;
import dev.towline.testing.Requirement;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills manager, proxy and both relays at random while agents run actions that append an id to a
 * file. Afterwards every file and the manager's history have to agree (G3, G5).
 */
@Requirement({"G3", "G5"})
class KillIT {
  private static final boolean LONG = Boolean.getBoolean("towline.long");
  private static final int KILLS = LONG ? 200 : 24;
  private static final int AGENTS = LONG ? 50 : 15;
  private static final int ACTIONS_PER_KILL = 6;
  private static final Duration BACK_IN_SERVICE = Promised.within(Duration.ofSeconds(10));

  private final long seed =
      Long.getLong("towline.seed", new Random().nextLong(0, Integer.MAX_VALUE));
  private final Random random = new Random(seed);
  private final Map<String, Appended> actions = new LinkedHashMap<>();
  private final Map<String, List<Double>> returns = new TreeMap<>();
  private ProcessFleet fleet;
  private AdminClient admin;

  @TempDir Path directory;

  /** An action and where it appends its id. */
  private record Appended(String agent, String id) {}

  private record Victim(Program program, String serviceLine) {}

  @BeforeEach
  void start() {
    System.out.println("seed " + seed + " (repeat with -Dtowline.seed=" + seed + ")");
    fleet =
        new ProcessFleet(
            Path.of(System.getProperty("towline.repository", "..")),
            directory,
            LoopbackAddresses.free(random),
            List.of("--heartbeat-interval", "5s"));
  }

  @AfterEach
  void stop() {
    fleet.close();
  }

  @Test
  void kill_anyProgramAtAnyTime_runsEachActionOnceAndLosesNoResult() throws Exception {
    List<Victim> victims = new ArrayList<>();
    victims.add(new Victim(fleet.startManager(), "towline-manager ready"));
    victims.add(new Victim(fleet.startProxy(), "towline-proxy online"));
    ProcessFleet.RelayPair pair = fleet.startRelayPair();
    victims.add(new Victim(pair.parent(), "persistent connection to"));
    victims.add(new Victim(pair.child(), "towline-relay online"));
    fleet.startAgentFarm("farm", AGENTS);
    admin = fleet.admin();
    fleet.awaitOnline(AGENTS, Duration.ofSeconds(120));

    for (int kill = 0; kill < KILLS; kill++) {
      for (int i = 0; i < ACTIONS_PER_KILL; i++) {
        append();
      }
      killAndRestart(victims.get(random.nextInt(victims.size())));
      append();
    }

    List<Action> ended = awaitAllEnded();
    Map<Outcome, Long> outcomes =
        ended.stream()
            .map(action -> action.getTargets(0).getOutcome())
            .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
    System.out.println("kills " + KILLS + ", actions " + actions.size() + ", outcomes " + outcomes);
    returns.forEach((name, seconds) ->
        System.out.printf(
            "%s back in service: %d times, at most %.1f s%n",
            name, seconds.size(), seconds.stream().mapToDouble(d -> d).max().orElse(0)));
    for (Action action : ended) {
      checkAgainstFile(action);
    }
    long lines = 0;
    for (int agent = 0; agent < AGENTS; agent++) {
      lines += idsIn(file("agent-" + agent)).size();
    }
    assertEquals(
        outcomes.getOrDefault(Outcome.OUTCOME_SUCCEEDED, 0L),
        lines,
        "no file holds an id that the manager does not know");
  }

  private void append() {
    String agent = "agent-" + random.nextInt(AGENTS);
    String id = "id-" + actions.size();
    RunActionRequest request =
        RunActionRequest.newBuilder()
            .setSelector("name=" + agent)
            .setIdempotencyKey(seed + "-" + id)
            .setRun(
                RunAction.newBuilder()
                    .addAllCommand(List.of("sh", "-c", "echo " + id + " >>\"$0\""))
                    .addCommand(file(agent).toString())
                    .setTimeLimitMs(60_000))
            .build();
    Action action =
        Await.value("the manager to take " + id, Duration.ofSeconds(90), () -> tryTo(request));
    assertEquals(1, action.getTargetsCount(), "targets of " + action);
    actions.put(action.getId(), new Appended(agent, id));
  }

  private Optional<Action> tryTo(RunActionRequest request) {
    try {
      return Optional.of(admin.actions().runAction(request));
    } catch (StatusRuntimeException e) {
      return unavailable(e);
    }
  }

  private static <T> Optional<T> unavailable(StatusRuntimeException e) {
    if (e.getStatus().getCode() == Status.Code.UNAVAILABLE) {
      return Optional.empty();
    }
    throw e;
  }

  private void killAndRestart(Victim victim) {
    Program program = victim.program();
    program.kill();
    long from = System.nanoTime();
    program.start();
    program.awaitLine(victim.serviceLine(), BACK_IN_SERVICE);
    returns
        .computeIfAbsent(program.name(), _ -> new ArrayList<>())
        .add((System.nanoTime() - from) / 1e9);
  }

  private List<Action> awaitAllEnded() {
    List<Action> ended = new ArrayList<>();
    for (String id : actions.keySet()) {
      ended.add(
          Await.value(
              "action " + id + " (" + actions.get(id) + ") to end",
              Duration.ofSeconds(120),
              () -> {
                try {
                  return Optional.of(
                          admin
                              .actions()
                              .getAction(GetActionRequest.newBuilder().setAction(id).build()))
                      .filter(Action::getEnded);
                } catch (StatusRuntimeException e) {
                  return unavailable(e);
                }
              }));
    }
    return ended;
  }

  private void checkAgainstFile(Action action) throws IOException {
    Appended appended = actions.get(action.getId());
    ActionTarget target = action.getTargets(0);
    long times = idsIn(file(appended.agent())).stream().filter(appended.id()::equals).count();
    assertEquals(
        Outcome.OUTCOME_SUCCEEDED,
        target.getOutcome(),
        "no agent was killed, so each action ends well: " + target);
    assertTrue(times == 1, appended + " stands " + times + " times in its file");
  }

  private Path file(String agent) {
    return directory.resolve(agent + ".ids");
  }

  private static List<String> idsIn(Path file) throws IOException {
    return Files.exists(file) ? Files.readAllLines(file) : List.of();
  }
}
