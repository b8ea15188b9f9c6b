package dev.towline.agent.actions;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("G5")
class ActionRunnerTest {
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final ActionRunner runner = new ActionRunner(Clock.systemUTC(), threads);

  @TempDir Path directory;

  @AfterEach
  void stop() {
    threads.shutdownNow();
  }

  @Test
  void run_programThatSucceeds_givesItsOutputAndStatus() {
    ActionEnd end = run(command("sh", "-c", "echo out; echo err >&2"));
    assertEquals(Outcome.OUTCOME_SUCCEEDED, end.outcome());
    assertEquals("out\nerr\n", text(end));
  }

  @Test
  void run_programThatFails_givesItsStatus() {
    ActionEnd end = run(command("sh", "-c", "exit 3"));
    assertEquals(Outcome.OUTCOME_FAILED, end.outcome());
    assertEquals(3, end.exitStatus());
    assertEquals("ended with status 3", end.detail());
  }

  @Test
  void run_programThatDoesNotExist_saysSo() {
    ActionEnd end = run(command("/no/such/program"));
    assertEquals(Outcome.OUTCOME_FAILED, end.outcome());
    assertTrue(end.detail().contains("/no/such/program"), end.detail());
  }

  @Test
  void run_argumentsWithShellSyntax_arePassedAsTheyAre() {
    assertEquals("$(id); `id` | x\n", text(run(command("echo", "$(id); `id` | x"))));
  }

  @Test
  void run_moreOutputThanAllowed_keepsTheFirstBytesAndTheProgramEnds() {
    RunAction action =
        command("sh", "-c", "head -c 3000000 /dev/zero").toBuilder()
            .setOutputLimitBytes(10)
            .build();
    ActionEnd end = run(action);
    assertEquals(Outcome.OUTCOME_SUCCEEDED, end.outcome());
    assertTrue(end.outputTruncated());
    assertArrayEquals(new byte[10], end.output());
  }

  @Test
  void run_pastItsTimeLimit_endsItAndWhatItStarted() throws Exception {
    RunAction.Builder action = command("sh", "-c", "sleep 300 & echo $!; wait").toBuilder();
    ActionEnd end = run(action.setTimeLimitMs(250).build());
    for (long limit = 500; text(end).isEmpty() && limit < 100_000; limit *= 2) {
      // The machine is so busy that the shell did not come so far.
      end = run(action.setTimeLimitMs(limit).build());
    }
    assertEquals(Outcome.OUTCOME_TIMED_OUT, end.outcome());
    long grandchild = Long.parseLong(text(end).strip());
    Await.until(
        "the grandchild to be gone",
        Duration.ofSeconds(60),
        () -> ProcessHandle.of(grandchild).filter(ProcessHandle::isAlive).isEmpty());
  }

  @Test
  void run_backgroundProgramKeepsThePipe_endsWithTheProgramItself() {
    ActionEnd end = run(command("sh", "-c", "sleep 600 & echo $!"));
    assertEquals(Outcome.OUTCOME_SUCCEEDED, end.outcome());
    ProcessHandle background = ProcessHandle.of(Long.parseLong(text(end).strip())).orElseThrow();
    assertTrue(background.isAlive());
    background.destroyForcibly();
  }

  @Test
  void cancel_runningProgram_endsAsCancelled() throws Exception {
    ActionRunner.Running running = runner.prepare(command("sleep", "300"), (_, _) -> {});
    CompletableFuture<ActionEnd> end = CompletableFuture.supplyAsync(running::run, threads);
    running.cancel();
    assertEquals(Outcome.OUTCOME_CANCELLED, end.get().outcome());
  }

  @Test
  void cancel_beforeTheStart_startsNothing() {
    Path file = directory.resolve("touched");
    ActionRunner.Running running = runner.prepare(command("touch", file.toString()), (_, _) -> {});
    running.cancel();
    assertEquals(Outcome.OUTCOME_CANCELLED, running.run().outcome());
    assertFalse(Files.exists(file));
  }

  @Test
  void run_withInputEnvironmentAndDirectory_givesThemToTheProgram() {
    RunAction action =
        command("sh", "-c", "cat; echo $GREETING; pwd").toBuilder()
            .setStandardInput(ByteString.copyFromUtf8("in\n"))
            .putEnvironment("GREETING", "hello")
            .setWorkingDirectory(directory.toString())
            .build();
    assertEquals("in\nhello\n" + directory + "\n", text(run(action)));
  }

  @Test
  void run_liveOutput_comesInOrderAndWhole() {
    ByteArrayOutputStream live = new ByteArrayOutputStream();
    RunAction action = command("seq", "1", "5000");
    ActionEnd end =
        runner
            .prepare(
                action,
                (offset, data) -> {
                  assertEquals(live.size(), offset);
                  live.writeBytes(data);
                })
            .run();
    assertArrayEquals(end.output(), live.toByteArray());
  }

  private ActionEnd run(RunAction action) {
    return runner.prepare(action, (_, _) -> {}).run();
  }

  private static RunAction command(String... words) {
    return RunAction.newBuilder().addAllCommand(List.of(words)).build();
  }

  private static String text(ActionEnd end) {
    return new String(end.output(), StandardCharsets.UTF_8);
  }
}
