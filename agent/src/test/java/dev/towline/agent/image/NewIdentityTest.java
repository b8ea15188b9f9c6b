package dev.towline.agent.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.EnrollmentSecret;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.json.JsonTrees;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("I4")
final class NewIdentityTest {
  @TempDir private Path data;

  @Test
  void begin_nothingOrdered_leavesEverything() throws IOException {
    Files.createDirectories(data.resolve("identity"));

    assertThat(new NewIdentity(data).begin()).isEmpty();

    assertThat(data.resolve("identity")).exists();
  }

  @Test
  void begin_ordered_removesWhatTwoHostsMustNotShare_asOftenAsItIsTried() throws IOException {
    var config =
        new NodeConfig("", List.of(new ServerAddress("m.example", 7443)), JsonTrees.newObject());
    byte[] secret = {1, 2, 3};
    fill();
    new NewIdentity(data).order("f1", "ab".repeat(32), "token", secret, config);

    Path file = new NewIdentity(data).begin().orElseThrow();

    assertThat(EnrollmentFile.read(file))
        .satisfies(read -> {
          assertThat(read.fleet()).isEqualTo("f1");
          assertThat(read.tokenId()).isEqualTo("token");
          assertThat(read.secret()).isEqualTo(new EnrollmentSecret(secret));
          assertThat(read.servers()).isEqualTo(config.servers());
        });
    assertThat(data).isDirectoryNotContaining(path -> path.endsWith("session.journal"));
    assertThat(data.resolve("identity")).doesNotExist();
    assertThat(data.resolve("logs")).doesNotExist();
    assertThat(data.resolve("log-positions")).exists();
    // Killed after it was enrolled and before its file was gone: it enrolls once more.
    fill();
    assertThat(new NewIdentity(data).begin()).contains(file);
    assertThat(data.resolve("identity")).doesNotExist();
    assertThat(EnrollmentFile.destroy(file)).isTrue();
    assertThat(new NewIdentity(data).begin()).isEmpty();
  }

  private void fill() throws IOException {
    for (String directory : List.of("identity", "logs")) {
      Files.createDirectories(data.resolve(directory));
      Files.writeString(data.resolve(directory).resolve("file"), "x");
    }
    for (String file : List.of("session.journal", "policy.json", "config.json", "log-positions")) {
      Files.writeString(data.resolve(file), "x");
    }
  }
}
