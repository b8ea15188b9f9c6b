package dev.towline.agent.actions;

import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/**
 * Runs one program of a {@link RunAction}: no shell, the time limit ends it with everything it
 * started, output past the limit is read and dropped.
 *
 * <p>Threading: {@link Running#run} blocks until the end; {@link Running#cancel} may be called from
 * any thread, before or during. Failure: whatever goes wrong is an {@link ActionEnd}.
 */
public final class ActionRunner {
  private static final int CHUNK = 8 * 1024;

  /** How long output may still come from what outlives the program itself. */
  private static final Duration OUTPUT_GRACE = Duration.ofSeconds(1);

  private final InstantSource clock;
  private final Executor blocking;

  /**
   * @param blocking runs the readers and writers of pipes, one thread each
   */
  public ActionRunner(InstantSource clock, Executor blocking) {
    this.clock = clock;
    this.blocking = blocking;
  }

  /** Hears output as it comes; called on a reader's thread. */
  @FunctionalInterface
  public interface LiveOutput {
    void output(long offset, byte[] data);
  }

  /** Prepares a program; nothing is started yet. */
  public Running prepare(RunAction action, LiveOutput live) {
    return new Running(action, live);
  }

  /** One program, from before its start to its end. */
  public final class Running {
    private final RunAction action;
    private final LiveOutput live;
    private boolean cancelled;
    private Optional<Process> process = Optional.empty();

    private Running(RunAction action, LiveOutput live) {
      this.action = action;
      this.live = live;
    }

    /** Ends the program with everything it started; one that has not started never will. */
    public void cancel() {
      Optional<Process> running;
      synchronized (this) {
        cancelled = true;
        running = process;
      }
      running.ifPresent(ActionRunner::killTree);
    }

    private synchronized boolean isCancelled() {
      return cancelled;
    }

    /** Runs it to its end. */
    public ActionEnd run() {
      Instant started = clock.instant();
      ActionLimits limits = ActionLimits.of(action);
      ActionOutputBuffer output = new ActionOutputBuffer(limits.outputBytes());
      Process child;
      try {
        synchronized (this) {
          if (cancelled) {
            return end(Outcome.OUTCOME_CANCELLED, 0, output, started, "cancelled before its start");
          }
          child = start();
          process = Optional.of(child);
        }
      } catch (IOException e) {
        return end(Outcome.OUTCOME_FAILED, 0, output, started, notStarted(e));
      }
      return await(child, limits, output, started);
    }

    private Process start() throws IOException {
      if (action.getCommandList().isEmpty()) {
        throw new IOException("command: empty (expected: program and arguments)");
      }
      ProcessBuilder builder =
          new ProcessBuilder(action.getCommandList()).redirectErrorStream(true);
      builder.environment().putAll(action.getEnvironmentMap());
      if (!action.getWorkingDirectory().isEmpty()) {
        builder.directory(new File(action.getWorkingDirectory()));
      }
      return builder.start();
    }

    private ActionEnd await(
        Process running, ActionLimits limits, ActionOutputBuffer output, Instant started) {
      CountDownLatch outputEnded = new CountDownLatch(1);
      blocking.execute(() -> {
        read(running.getInputStream(), output);
        outputEnded.countDown();
      });
      blocking.execute(() -> write(running.getOutputStream()));
      try {
        boolean inTime = running.waitFor(limits.time().toMillis(), TimeUnit.MILLISECONDS);
        if (!inTime) {
          killTree(running);
          running.waitFor();
        }
        if (!outputEnded.await(OUTPUT_GRACE.toMillis(), TimeUnit.MILLISECONDS)) {
          running.getInputStream().close();
        }
        if (isCancelled()) {
          return end(Outcome.OUTCOME_CANCELLED, running.exitValue(), output, started, "cancelled");
        }
        if (!inTime) {
          return end(
              Outcome.OUTCOME_TIMED_OUT,
              running.exitValue(),
              output,
              started,
              "ended after its time limit of " + limits.time().toMillis() + " ms");
        }
        int status = running.exitValue();
        return status == 0
            ? end(Outcome.OUTCOME_SUCCEEDED, 0, output, started, "")
            : end(Outcome.OUTCOME_FAILED, status, output, started, "ended with status " + status);
      } catch (InterruptedException e) {
        killTree(running);
        Thread.currentThread().interrupt();
        return end(
            Outcome.OUTCOME_INTERRUPTED, 0, output, started, "the agent stopped while it ran");
      } catch (IOException e) {
        return end(
            Outcome.OUTCOME_FAILED, running.exitValue(), output, started, "output lost: " + e);
      }
    }

    private void read(InputStream from, ActionOutputBuffer output) {
      byte[] chunk = new byte[CHUNK];
      long offset = 0;
      try {
        for (int length = from.read(chunk); length >= 0; length = from.read(chunk)) {
          int kept = output.append(chunk, length);
          if (kept > 0) {
            live.output(offset, Arrays.copyOf(chunk, kept));
            offset += kept;
          }
        }
      } catch (IOException e) {
        // Closed by the owner after the program's end: something it started holds the pipe.
        return;
      }
    }

    private void write(OutputStream to) {
      try (to) {
        action.getStandardInput().writeTo(to);
      } catch (IOException e) {
        // The program does not read its input; that is its right.
        return;
      }
    }

    private ActionEnd end(
        Outcome outcome, int status, ActionOutputBuffer output, Instant started, String detail) {
      return new ActionEnd(
          outcome, status, output.bytes(), output.truncated(), started, clock.instant(), detail);
    }

    private String notStarted(IOException e) {
      return "could not be started: " + e.getMessage();
    }
  }

  private static void killTree(Process process) {
    List<ProcessHandle> descendants = process.descendants().toList();
    process.destroyForcibly();
    descendants.forEach(ProcessHandle::destroyForcibly);
  }
}
