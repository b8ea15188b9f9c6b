package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.topology.Host;
import dev.towline.it.topology.Image;
import dev.towline.it.topology.Lab;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** The Debian packages on a host that has essential packages only, and so no Java. */
@Tag("docker")
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
final class DebInstallIT {
  static final List<String> PROGRAMS = Packages.PROGRAMS;

  private static Lab lab;
  private static Host host;

  @BeforeAll
  static void bringUp() {
    lab = Lab.open("deb-it");
    host = lab.host("bare", Image.BARE, lab.sealedSegment("net"));
  }

  @AfterAll
  static void takeDown() {
    if (lab != null) {
      lab.close();
    }
  }

  @ParameterizedTest
  @FieldSource("PROGRAMS")
  void deb_installsRunsAndIsPurged(String program) {
    String file = "/root/" + Packages.deb(program).getFileName();
    String command = Packages.command(program);
    assertThat(host.run("sh", "-c", "command -v java").ok()).isFalse();
    host.copyIn(Packages.deb(program), file);

    host.sh("dpkg -i " + file + " && rm " + file);

    assertThat(host.sh(command + " --version"))
        .isEqualTo(command + " " + Packages.version() + "\n");
    host.sh("dpkg --purge towline-" + program);
    assertThat(host.run("test", "-e", "/opt/towline/" + program).ok()).isFalse();
    assertThat(host.run("test", "-e", "/usr/bin/" + command).ok()).isFalse();
  }
}
