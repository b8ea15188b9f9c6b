package dev.towline.agent.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("I4")
final class MachineTest {
  @TempDir private Path root;

  @Test
  void mark_numberOfTheHypervisor_isTakenBeforeInterfaces() throws IOException {
    write("sys/class/net/eth0/address", "02:00:00:00:00:02\n");
    write("sys/class/net/lo/address", "00:00:00:00:00:00\n");
    assertThat(Machine.mark(root)).isEqualTo("interfaces 02:00:00:00:00:02");

    write("sys/class/dmi/id/product_uuid", "4c4c4544-0001\n");

    assertThat(Machine.mark(root)).isEqualTo("machine 4c4c4544-0001");
  }

  @Test
  void hashed_tellsMachinesApart_andNotWhichTheyAre() {
    assertThat(Machine.hashed("machine 1"))
        .hasSize(64)
        .isEqualTo(Machine.hashed("machine 1"))
        .isNotEqualTo(Machine.hashed("machine 2"));
    assertThat(Machine.hashed("")).isEmpty();
  }

  private void write(String file, String text) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }
}
