package dev.towline.agent.firewall;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Starts {@code guard.sh} where neither the agent's end nor its service's takes it along. */
final class Guard {
  private static final Duration START = Duration.ofSeconds(20);
  private static final long LOOK_MILLIS = 20;

  private final FirewallFiles files;
  private final HostCommands commands;
  private final Path root;

  Guard(FirewallFiles files, HostCommands commands, Path root) {
    this.files = files;
    this.root = root;
    this.commands = commands;
  }

  /** Returns when it watches over the set. */
  void arm(String id, Duration limit) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    if (Files.isDirectory(root.resolve("run/systemd/system"))) {
      // A unit of its own: restarting the agent's service ends all processes below it.
      command.addAll(
          List.of("systemd-run", "--quiet", "--collect", "--unit=towline-firewall-guard-" + id));
    } else {
      command.addAll(List.of("setsid", "--fork"));
    }
    // Nobody reads its output, and an open pipe would keep the caller waiting.
    command.addAll(
        List.of(
            "sh",
            "-c",
            "exec sh \"$0\" \"$@\" </dev/null >>\"$1/guard.log\" 2>&1",
            files.guard().toString(),
            files.directory().toString(),
            "arm",
            id,
            String.valueOf(limit.toSeconds())));
    HostCommands.Ended started = commands.run("", command);
    if (!started.ok()) {
      throw new IOException("the guard can't be started: " + started.err());
    }
    long looks = START.toMillis() / LOOK_MILLIS;
    while (!files.isArmed(id)) {
      if (looks-- == 0) {
        throw new IOException("the guard has not started within " + START);
      }
      TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
    }
  }

  /** Takes a set back at once; false when it was confirmed or taken back already. */
  boolean revert(String id, String reason) throws IOException, InterruptedException {
    return run("revert", id, reason);
  }

  private boolean run(String... arguments) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(List.of("sh", files.guard().toString(), files.directory().toString()));
    command.addAll(List.of(arguments));
    return commands.run("", command).ok();
  }
}
