package dev.towline.relay;

import dev.towline.relay.status.RelayStatus;
import dev.towline.runtime.telemetry.BuildInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Tells how this host's relay fares; ends with 0 when it is in session. */
@Command(
    name = "status",
    description = "Shows the state of the relay; ends with 0 when it is in session.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
final class StatusCommand implements Callable<Integer> {
  @Mixin private SettingsOptions options = new SettingsOptions();

  @Override
  public Integer call() throws IOException {
    Path data = Path.of(options.resolve().text("data"));
    Optional<RelayStatus> status = RelayStatus.read(data.resolve("status.json"));
    if (status.isEmpty()) {
      System.out.println("state: unknown (no status in " + data + ")");
      return 1;
    }
    status.get().lines().forEach(System.out::println);
    return status.get().healthy() ? 0 : 1;
  }
}
