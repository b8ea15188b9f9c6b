package dev.towline.agent.heartbeat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Whether the agent is being stopped because its host shuts down (H5). Asks systemd, else the
 * runlevel; where neither answers within a second it counts as the agent alone.
 */
public final class ShutdownProbe {
  private static final long LIMIT_MS = 1000;

  private final Function<List<String>, Optional<String>> command;

  /**
   * @param command gives what a command printed; empty when it can't be run
   */
  ShutdownProbe(Function<List<String>, Optional<String>> command) {
    this.command = command;
  }

  public static ShutdownProbe ofThisHost() {
    return new ShutdownProbe(ShutdownProbe::output);
  }

  public boolean isShuttingDown() {
    Optional<String> system = command.apply(List.of("systemctl", "is-system-running"));
    if (system.isPresent() && !system.get().isBlank() && !system.get().contains("offline")) {
      return system.get().strip().equals("stopping");
    }
    return command
        .apply(List.of("runlevel"))
        .map(String::strip)
        .filter(level -> level.endsWith(" 0") || level.endsWith(" 6"))
        .isPresent();
  }

  private static Optional<String> output(List<String> line) {
    try {
      Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
      process.getOutputStream().close();
      if (!process.waitFor(LIMIT_MS, TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
        return Optional.empty();
      }
      return Optional.of(
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException _) {
      return Optional.empty();
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }
}
