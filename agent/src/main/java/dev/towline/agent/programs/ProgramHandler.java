package dev.towline.agent.programs;

import com.google.protobuf.ByteString;
import dev.towline.agent.actions.ActionEnd;
import dev.towline.agent.actions.ActionRunner;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.InstallProgram;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;

/**
 * Installs a proxy or a relay on this host with the script of an install command (R5): the script
 * came signed, it checks the package against its hash, and the secret goes to its standard input
 * only. The program runs on its own from then on, not below the agent.
 *
 * <p>Lifecycle: {@link #stop} ends what runs. Threading: called on the session's thread; each
 * installation has a thread of its own, one runs at a time. Failure: every accepted directive ends
 * in exactly one result, and one that was cut off may simply be ordered again.
 */
public final class ProgramHandler implements DirectiveHandler {
  private static final Set<String> PROGRAMS = Set.of("proxy", "relay");
  private static final Duration TIME = Duration.ofMinutes(5);
  private static final String SHELL = "/bin/sh";

  private final Path directory;
  private final ActionRunner runner;
  private final InstantSource clock;
  private final ThreadFactory threads;
  private final Semaphore one = new Semaphore(1, true);
  private final Set<Thread> workers = ConcurrentHashMap.newKeySet();

  /**
   * @param directory for scripts while they run; nobody else may write there
   */
  public ProgramHandler(
      Path directory, ActionRunner runner, InstantSource clock, ThreadFactory threads) {
    this.directory = directory;
    this.runner = runner;
    this.clock = clock;
    this.threads = threads;
  }

  @Override
  public boolean handles(DirectiveKind kind) {
    return kind == DirectiveKind.DIRECTIVE_KIND_INSTALL_PROGRAM;
  }

  @Override
  public void accepted(AcceptedDirective directive, Progress progress) {
    InstallProgram wanted = directive.content().getInstallProgram();
    if (!PROGRAMS.contains(wanted.getProgram())) {
      finished(
          progress,
          Outcome.OUTCOME_FAILED,
          "program: '%s' (expected: proxy or relay)".formatted(wanted.getProgram()));
      return;
    }
    Thread worker = threads.newThread(() -> work(wanted, progress));
    workers.add(worker);
    worker.start();
  }

  /** Ends what runs, and waits a little for its result to be on the way. */
  public void stop() throws InterruptedException {
    workers.forEach(Thread::interrupt);
    for (Thread worker : Set.copyOf(workers)) {
      worker.join(TimeUnit.SECONDS.toMillis(2));
    }
  }

  private void work(InstallProgram wanted, Progress progress) {
    try {
      one.acquire();
      try {
        progress.started();
        install(wanted, progress);
      } finally {
        one.release();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      finished(progress, Outcome.OUTCOME_INTERRUPTED, "the agent stopped before it began");
    } finally {
      workers.remove(Thread.currentThread());
    }
  }

  private void install(InstallProgram wanted, Progress progress) {
    Path script;
    try {
      script =
          Files.createTempFile(
              directory,
              "install-" + wanted.getProgram() + "-",
              ".sh",
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    } catch (IOException e) {
      finished(progress, Outcome.OUTCOME_FAILED, "the script can't be written: " + e.getMessage());
      return;
    }
    ActionEnd end;
    try {
      Files.writeString(script, wanted.getScript());
      end = run(wanted, script, progress);
    } catch (IOException e) {
      finished(progress, Outcome.OUTCOME_FAILED, "the script can't be written: " + e.getMessage());
      return;
    } finally {
      remove(script);
    }
    // The interrupt has ended the script; it must not keep the result from the journal.
    boolean stopped = Thread.interrupted();
    progress.finished(
        new DirectiveEnd(
            end.outcome(),
            end.exitStatus(),
            ByteString.copyFrom(end.output()),
            end.outputTruncated(),
            end.started(),
            end.finished(),
            end.outcome() == Outcome.OUTCOME_SUCCEEDED
                ? ""
                : end.detail() + ": " + lastLine(end.output())));
    if (stopped) {
      Thread.currentThread().interrupt();
    }
  }

  private ActionEnd run(InstallProgram wanted, Path script, Progress progress) {
    Duration limit =
        wanted.getTimeLimitMs() > 0 ? Duration.ofMillis(wanted.getTimeLimitMs()) : TIME;
    return runner
        .prepare(
            RunAction.newBuilder()
                .addCommand(SHELL)
                .addCommand(script.toString())
                .setTimeLimitMs(limit.toMillis())
                .setStandardInput(ByteString.copyFromUtf8(wanted.getSecret() + "\n"))
                .build(),
            (offset, data) -> progress.output(offset, ByteString.copyFrom(data)))
        .run();
  }

  /** The script says in its last line what is wrong. */
  private static String lastLine(byte[] output) {
    return new String(output, StandardCharsets.UTF_8)
        .lines()
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .reduce("no word", (_, line) -> line);
  }

  private static void remove(Path script) {
    try {
      Files.deleteIfExists(script);
    } catch (IOException _) {
      // Holds no secret; the next start of the host's agent may meet it and does not care.
      return;
    }
  }

  private void finished(Progress progress, Outcome outcome, String detail) {
    progress.finished(DirectiveEnd.of(outcome, clock.instant(), detail));
  }
}
