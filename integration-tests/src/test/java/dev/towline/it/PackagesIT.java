package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.fleet.Program;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

/** What the build made for hosts to install. */
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
final class PackagesIT {
  static final List<String> PROGRAMS = Packages.PROGRAMS;

  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource({"manager, 80", "agent, 60", "proxy, 60", "relay, 60", "cli, 60"})
  void package_isSmall(String program, long megabytes) throws Exception {
    assertThat(Files.size(Packages.tarball(program))).isLessThanOrEqualTo(megabytes * 1_000_000);
    assertThat(Files.size(Packages.deb(program))).isLessThanOrEqualTo(megabytes * 1_000_000);
  }

  @ParameterizedTest
  @FieldSource("PROGRAMS")
  void tarball_runsFromAnyDirectoryWithoutEnvironment(String program) throws Exception {
    Path home = unpack(program);
    Path link = directory.resolve("link");
    Files.createSymbolicLink(link, home.resolve("bin").resolve(Packages.command(program)));
    assertThat(run(List.of(link.toString(), "--version")))
        .isEqualTo(Packages.command(program) + " " + System.getProperty("towline.version") + "\n");
  }

  @ParameterizedTest
  @FieldSource("PROGRAMS")
  void runtime_isTheOneThatCameAlong(String program) throws Exception {
    Path home = unpack(program);
    Path start = home.resolve("bin").resolve(Packages.command(program));
    assertThat(run(List.of("sh", "-x", start.toString(), "--version")))
        .contains("exec " + home.toRealPath().resolve("runtime/bin/java") + " ");
  }

  /** Hardened hosts mount the temporary directory so that nothing in it can be executed. */
  @Test
  void manager_unpacksNoNativeCodeAtStart() throws Exception {
    Path home = unpack("manager");
    Program manager =
        new Program(
            "manager",
            List.of(
                home.resolve("bin/towline-manager").toString(),
                "serve",
                "--data",
                directory.resolve("data").toString(),
                "--listen",
                "127.0.71.1"),
            Map.of("TOWLINE_JAVA_OPTS", "-Djava.io.tmpdir=" + directory.resolve("missing")),
            directory.resolve("manager.log"));
    try (manager) {
      manager.start().awaitLine("towline-manager ready", Duration.ofSeconds(60));
    }
  }

  private Path unpack(String program) throws Exception {
    run(List.of("tar", "xzf", Packages.tarball(program).toString(), "-C", directory.toString()));
    return directory.resolve(Packages.directory(program));
  }

  /** Runs a command in an empty environment and returns what it printed. */
  private String run(List<String> command) throws IOException, InterruptedException {
    var line = new ArrayList<>(List.of("env", "-i"));
    line.addAll(command);
    Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("%s%n%s", command, output).isZero();
    return output;
  }
}
