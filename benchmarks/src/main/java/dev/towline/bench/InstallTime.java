package dev.towline.bench;

import dev.towline.cli.login.AdminClient;
import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** From pasting the install line on a bare host (a container) to the host being online. */
final class InstallTime {
  private static final String IMAGE = "towline-test/curl-only";
  private static final int RUNS = 3;

  private final Path repository;

  InstallTime(Path repository) {
    this.repository = repository;
  }

  void measure(Report report) throws Exception {
    Path directory = Files.createTempDirectory("towline-bench-install-");
    String gateway =
        docker("network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}").strip();
    LoopbackAddresses addresses =
        new LoopbackAddresses(gateway.substring(0, gateway.lastIndexOf('.') + 1));
    List<String> containers = new ArrayList<>();
    try (ProcessFleet fleet = new ProcessFleet(repository, directory, addresses, List.of())) {
      fleet.startManager();
      {
        AdminClient admin = fleet.admin();
        List<Double> runs = new ArrayList<>();
        for (int run = 1; run <= RUNS; run++) {
          CreatedInstallCommand command =
              admin
                  .installCommands()
                  .createInstallCommand(
                      CreateInstallCommandRequest.newBuilder()
                          .setOs("linux")
                          .setGroup("bench")
                          .setExpiresInMs(3_600_000)
                          .build());
          String container = docker("run", "-d", "--init", IMAGE, "sleep", "600").strip();
          containers.add(container);
          long from = System.nanoTime();
          paste(container, command.getCurlLine());
          fleet.awaitOnline(run, Duration.ofSeconds(60));
          runs.add((System.nanoTime() - from) / 1e9);
        }
        report.note("install times: " + runs);
        report.add(Figure.atMost("mainjob.install_s", Samples.median(runs), "s", 15));
      }
    } finally {
      for (String container : containers) {
        docker("rm", "-f", container);
      }
      ProcessFleet.deleteTree(directory);
    }
  }

  private static void paste(String container, String line) throws Exception {
    Process shell =
        new ProcessBuilder("docker", "exec", "-i", container, "sh")
            .redirectErrorStream(true)
            .start();
    try (OutputStream keyboard = shell.getOutputStream()) {
      keyboard.write((line + "\n").getBytes(StandardCharsets.UTF_8));
    }
    String output = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!shell.waitFor(60, TimeUnit.SECONDS) || shell.exitValue() != 0) {
      throw new IllegalStateException("install failed:\n" + output);
    }
  }

  private static String docker(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("docker"));
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IllegalStateException(
          "docker " + String.join(" ", arguments) + " failed (is the engine running?): " + output);
    }
    return output;
  }
}
