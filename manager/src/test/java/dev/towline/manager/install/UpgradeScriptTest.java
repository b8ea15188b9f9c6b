package dev.towline.manager.install;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.identity.Fingerprints;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the script below a directory, as root, with programs that are shell scripts. */
@Requirement("P13")
final class UpgradeScriptTest {
  private static final Duration BOUND = Duration.ofMinutes(1);

  private static final String WORKS =
      """
      #!/bin/sh
      if [ "$1" = run ]; then
        trap 'rm -f "$3/status.json"; exit 0' TERM
        echo '{"state":"ONLINE"}' >"$3/status.json"
        while :; do sleep 0.1; done
      fi
      """;

  private static final String IS_REFUSED = "#!/bin/sh\necho 'no such luck'\nexit 3\n";

  @TempDir private Path directory;
  private Path root;
  private Path home;

  @BeforeEach
  void install() throws Exception {
    root = directory.resolve("root");
    home = root.resolve("opt/towline/proxy");
    program(home.resolve("versions/1.0"), WORKS);
    Files.createSymbolicLink(home.resolve("current"), Path.of("versions/1.0"));
    Files.createDirectories(root.resolve("var/lib/towline/proxy/identity"));
    Files.writeString(root.resolve("var/lib/towline/proxy/identity/identity.pem"), "enrolled");
    Files.createDirectories(root.resolve("var/log/towline"));
  }

  @AfterEach
  void end() throws IOException {
    Path pidFile = root.resolve("run/towline-proxy.pid");
    if (Files.exists(pidFile)) {
      Optional<ProcessHandle> supervisor =
          ProcessHandle.of(Long.parseLong(Files.readString(pidFile).strip()));
      supervisor.ifPresent(ProcessHandle::destroy);
      Await.until("its end", BOUND, () -> !Files.exists(pidFile));
    }
  }

  @Test
  void newVersion_comesUp_runs() throws Exception {
    Ended ended = upgradeTo("2.0", WORKS);

    assertThat(ended.status()).as(ended.output()).isZero();
    assertThat(ended.output()).contains("online");
    assertThat(Files.readSymbolicLink(home.resolve("current"))).hasToString("versions/2.0");
    assertThat(root.resolve("var/lib/towline/proxy/identity/identity.pem")).hasContent("enrolled");

    assertThat(upgradeTo("2.0", WORKS).output()).contains("is installed already");
  }

  @Test
  void newVersion_doesNotComeUp_theOldOneRunsAgain() throws Exception {
    Ended ended = upgradeTo("2.0", IS_REFUSED);

    assertThat(ended.status()).as(ended.output()).isEqualTo(1);
    assertThat(ended.output().strip())
        .endsWith("version 2.0 did not come up: no such luck; versions/1.0 runs again");
    assertThat(Files.readSymbolicLink(home.resolve("current"))).hasToString("versions/1.0");
    Await.until(
        "the old version",
        BOUND,
        () -> Files.exists(root.resolve("var/lib/towline/proxy/status.json")));
  }

  @Test
  void nothingInstalled_isRefused() throws Exception {
    Files.delete(home.resolve("current"));

    Ended ended = upgradeTo("2.0", WORKS);

    assertThat(ended.status()).isEqualTo(3);
    assertThat(ended.output()).contains("nothing to upgrade");
  }

  private record Ended(int status, String output) {}

  private Ended upgradeTo(String version, String text) throws Exception {
    Path work = Files.createTempDirectory(directory, "work");
    program(work.resolve("towline-proxy-" + version), text);
    Path file = work.resolve("towline-proxy-" + version + "-linux-x86_64.tar.gz");
    run(work, "tar", "-czf", file.toString(), "towline-proxy-" + version);
    String script =
        InstallScript.upgrade(
            // Fetched from nowhere: it lies where the script is run.
            new Route(List.of(), List.of()),
            new Packages.Program(
                "proxy",
                version,
                file,
                HexFormat.of().formatHex(Fingerprints.sha256(Files.readAllBytes(file)))));
    return run(work, "sh", Files.writeString(work.resolve("upgrade.sh"), script).toString());
  }

  private static void program(Path version, String text) throws IOException {
    Path program = version.resolve("bin/towline-proxy");
    Files.createDirectories(program.getParent());
    Files.writeString(program, text);
    Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Ended run(Path in, String... command) throws Exception {
    Path output = Files.createTempFile(directory, "output", ".txt");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(in.toFile())
            .redirectErrorStream(true)
            // A pipe would stay open for as long as what was started runs.
            .redirectOutput(output.toFile());
    builder.environment().put("TOWLINE_INSTALL_ROOT", root.toString());
    Process process = builder.start();
    process.getOutputStream().close();
    int status = process.waitFor();
    return new Ended(status, Files.readString(output, StandardCharsets.UTF_8));
  }
}
