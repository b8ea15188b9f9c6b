package dev.towline.agent;

import dev.towline.agent.firewall.Doctor;
import dev.towline.agent.firewall.HostCommands;
import dev.towline.runtime.telemetry.BuildInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Explains what decides about packets on this host (F5). */
@Command(
    name = "doctor",
    description =
        "Explains NAT, forwarding and packet filters of this host; ends with 1 when NAT rules are"
            + " missing. Changes nothing without --restore.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
final class DoctorCommand implements Callable<Integer> {
  @Mixin private SettingsOptions options = new SettingsOptions();

  @Option(
      names = "--restore",
      paramLabel = "SNAPSHOT",
      defaultValue = "",
      description = "put the NAT rules of this snapshot back, where none is left, and check")
  private String snapshot = "";

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path data = AgentSettings.of(options.resolve()).data();
    var doctor =
        new Doctor(HostCommands.real(), Path.of("/"), data.resolve("firewall"), Clock.systemUTC());
    if (!snapshot.isEmpty()) {
      doctor.restore(snapshot).forEach(System.out::println);
    }
    Doctor.Diagnosis diagnosis = doctor.look();
    diagnosis.lines().forEach(System.out::println);
    return diagnosis.healthy() ? 0 : 1;
  }
}
