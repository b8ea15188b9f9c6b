package dev.towline.runtime.facts;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HostFactsReaderTest {
  @TempDir private Path root;

  @Test
  void read_host_tellsWhatItsFilesSay() throws IOException {
    write("etc/os-release", "# c\nID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nX\n");
    write("etc/machine-id", "0123456789abcdef\n");
    write("proc/sys/kernel/random/boot_id", "b-1\n");
    write("proc/sys/kernel/osrelease", "6.1.0\n");
    write("proc/sys/kernel/hostname", "web-1\n");
    write("proc/1/cgroup", "0::/init.scope\n");
    var facts = new HostFactsReader(root, "0.1.0").read("");
    assertThat(facts.getHostName()).isEqualTo("web-1");
    assertThat(facts.getOs()).isEqualTo("linux");
    assertThat(facts.getOsVersion()).isEqualTo("Debian GNU/Linux 12 (bookworm)");
    assertThat(facts.getKernel()).isEqualTo("6.1.0");
    assertThat(facts.getBootId()).isEqualTo("b-1");
    assertThat(facts.getMachineId()).hasSize(64).doesNotContain("0123456789abcdef");
    assertThat(facts.getAssetKind()).isEqualTo("HOST");
    assertThat(facts.getProgramVersion()).isEqualTo("0.1.0");
  }

  @Test
  void read_bareContainer_staysEmptyWhereNothingIs() throws IOException {
    write(".dockerenv", "");
    var facts = new HostFactsReader(root, "0.1.0").read("called");
    assertThat(facts.getHostName()).isEqualTo("called");
    assertThat(facts.getMachineId()).isEmpty();
    assertThat(facts.getAssetKind()).isEqualTo("CONTAINER");
  }

  private void write(String file, String text) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }
}
