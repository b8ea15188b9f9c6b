package dev.towline.agent;

import dev.towline.agent.status.AgentStatus;
import dev.towline.runtime.telemetry.BuildInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Tells how the agent of this host fares; ends with 0 when it is in session. */
@Command(
    name = "status",
    description = "Shows the state of the agent; ends with 0 when it is in session.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
final class StatusCommand implements Callable<Integer> {
  @Mixin private SettingsOptions options = new SettingsOptions();

  @Override
  public Integer call() throws IOException {
    Path data = AgentSettings.of(options.resolve()).data();
    Optional<AgentStatus> read = AgentStatus.read(data.resolve("status.json"));
    if (read.isEmpty()) {
      System.out.println("state: unknown (no status in " + data + ")");
      return 1;
    }
    AgentStatus status = read.get();
    boolean running = ProcessHandle.of(status.pid()).isPresent();
    String state = status.state().name().toLowerCase(Locale.ROOT);
    System.out.println(
        "state: "
            + (running || status.state() == AgentStatus.State.STOPPED ? state : "not running"));
    line("identity", status.identity());
    line("manager", status.manager());
    line("server", status.server());
    line("path", status.path());
    line("since", status.since().toString());
    line("last heartbeat", text(status.lastHeartbeat()));
    line("certificate expires", text(status.certificateExpires()));
    line("detail", status.detail());
    return status.healthy() ? 0 : 1;
  }

  private static String text(@Nullable Object value) {
    return value == null ? "" : value.toString();
  }

  private static void line(String name, String value) {
    if (!value.isEmpty()) {
      System.out.println(name + ": " + value);
    }
  }
}
