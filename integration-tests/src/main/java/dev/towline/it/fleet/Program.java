package dev.towline.it.fleet;

import dev.towline.testing.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One program of the fleet as a process that can be started, stopped, killed and started again. Its
 * output goes to a log file that survives restarts.
 *
 * <p>Threading: one owner.
 */
public final class Program implements AutoCloseable {
  private static final Duration STOP_BOUND = Duration.ofSeconds(60);

  private final String name;
  private final List<String> command;
  private final Map<String, String> environment;
  private final Path log;
  private @Nullable Process process;
  private long logStart;

  public Program(String name, List<String> command, Map<String, String> environment, Path log) {
    this.name = name;
    this.command = List.copyOf(command);
    this.environment = Map.copyOf(environment);
    this.log = log;
  }

  public String name() {
    return name;
  }

  public Path log() {
    return log;
  }

  /** Starts it; what it printed before no longer counts for {@link #awaitLine}. */
  public Program start() {
    if (isRunning()) {
      throw new IllegalStateException(name + " is running");
    }
    try {
      Files.createDirectories(log.getParent());
      logStart = Files.exists(log) ? Files.size(log) : 0;
      ProcessBuilder builder =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
              .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
      builder.environment().putAll(environment);
      process = builder.start();
    } catch (IOException e) {
      throw new UncheckedIOException(name + " can't be started", e);
    }
    return this;
  }

  public boolean isRunning() {
    return process != null && process.isAlive();
  }

  public long pid() {
    if (process == null) {
      throw new IllegalStateException(name + " was not started");
    }
    return process.pid();
  }

  /** Waits until a line since the last start holds the text. */
  public void awaitLine(String text, Duration bound) {
    Await.until(
        name + " to say '" + text + "'",
        bound,
        () -> {
          if (outputSinceStart().contains(text)) {
            return true;
          }
          if (!isRunning()) {
            throw new IllegalStateException(
                name + " ended with status " + exitStatus() + ":\n" + outputSinceStart());
          }
          return false;
        });
  }

  public String outputSinceStart() throws IOException {
    byte[] all = Files.readAllBytes(log);
    return new String(all, (int) logStart, (int) (all.length - logStart));
  }

  private int exitStatus() {
    return process == null ? -1 : process.exitValue();
  }

  /** SIGKILL; returns when the process is gone. */
  public void kill() {
    if (process != null) {
      process.destroyForcibly();
      awaitEnd(process, STOP_BOUND);
    }
  }

  /** SIGTERM, and SIGKILL for one that doesn't listen. */
  public void stop() {
    if (process == null || !process.isAlive()) {
      return;
    }
    process.destroy();
    if (!awaitEnd(process, STOP_BOUND)) {
      kill();
      throw new IllegalStateException(
          name + " did not stop within " + STOP_BOUND.toSeconds() + " s");
    }
  }

  /** SIGTERM without waiting, to stop many at once. */
  void beginStop() {
    if (process != null) {
      process.destroy();
    }
  }

  private static boolean awaitEnd(Process process, Duration bound) {
    try {
      return process.waitFor(bound.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Resident memory in KiB. */
  public long residentKib() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/" + pid() + "/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    throw new IOException(name + " has no VmRSS");
  }

  /** Processor time used so far. */
  public Duration processorTime() throws IOException {
    String stat = Files.readString(Path.of("/proc/" + pid() + "/stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    long ticks = Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
    return Duration.ofMillis(ticks * 10);
  }

  @Override
  public void close() {
    stop();
  }
}
