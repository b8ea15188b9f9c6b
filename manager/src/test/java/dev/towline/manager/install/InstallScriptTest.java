package dev.towline.manager.install;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.identity.Role;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class InstallScriptTest {
  private static final EnrollmentFile FILE =
      new EnrollmentFile(
          "fleet1",
          Role.AGENT,
          "ab".repeat(32),
          "token1",
          List.of("m:7443"),
          Map.of("note", "it's"));
  private static final Route ROUTE = new Route(List.of("m:7443"), List.of("https://m:8443"));
  private static final Packages.Program PROGRAM =
      new Packages.Program("agent", "0.1.0", Path.of("p.tar.gz"), "cd".repeat(32));

  @TempDir private Path directory;

  @Test
  @Requirement("I1")
  void of_sameInputs_givesTheSameScriptThatAShellReads() throws Exception {
    String script = InstallScript.of(FILE, ROUTE, PROGRAM, false);

    assertThat(script)
        .isEqualTo(InstallScript.of(FILE, ROUTE, PROGRAM, false))
        .doesNotContainPattern("@[A-Z]");
    assertThat(run("sh", "-n", Files.writeString(directory.resolve("s.sh"), script).toString()))
        .isEmpty();
  }

  @Test
  void quoted_anyText_isOneWordOfItself() throws Exception {
    String text = "it's \"$HOME\" `id` \\ *";

    assertThat(run("sh", "-c", "printf %s " + InstallScript.quoted(text))).isEqualTo(text);
  }

  @Test
  void enrollmentFile_withSecret_isJsonWithKebabCaseKeys() {
    assertThat(FILE.with("s3cret"))
        .contains("\"secret\":\"s3cret\"", "\"ca-fingerprint\":", "\"token-id\":\"token1\"");
  }

  @Test
  @Requirement("I3")
  void newest_severalVersions_comparesNumbers() throws IOException {
    for (String version : List.of("0.9.1", "0.10.0", "0.2.0")) {
      Files.writeString(
          directory.resolve("towline-agent-" + version + "-linux-x86_64.tar.gz"), version);
    }
    var packages = new Packages(List.of(directory));

    assertThat(packages.newest(Role.AGENT)).map(Packages.Program::version).contains("0.10.0");
    assertThat(packages.newest(Role.PROXY)).isEmpty();
    assertThat(packages.file("../towline-agent-0.9.1-linux-x86_64.tar.gz")).isEmpty();
  }

  private static String run(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes());
    process.waitFor();
    return output;
  }
}
