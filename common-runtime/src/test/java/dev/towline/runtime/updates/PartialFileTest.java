package dev.towline.runtime.updates;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.runtime.updates.UpdateRefused.Reason;
import dev.towline.testing.Requirement;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("U4")
class PartialFileTest {
  private static final int LENGTH = 200_000;

  @TempDir private Path directory;
  private final byte[] content = new byte[LENGTH];
  private final String hash;

  PartialFileTest() {
    new Random(7).nextBytes(content);
    hash = MetadataFile.of(1, content).sha256();
  }

  private PartialFile open() throws Exception {
    return PartialFile.open(directory.resolve("part"), LENGTH, hash);
  }

  @Test
  void complete_wholeFile_isThere() throws Exception {
    try (PartialFile file = open()) {
      file.write(ByteBuffer.wrap(content));
      file.complete();
    }

    assertThat(Files.readAllBytes(directory.resolve("part"))).isEqualTo(content);
  }

  @Test
  void open_afterABreak_goesOn() throws Exception {
    try (PartialFile file = open()) {
      file.write(ByteBuffer.wrap(content, 0, 70_001));
    }
    try (PartialFile file = open()) {
      assertThat(file.offset()).isEqualTo(70_001);
      file.write(ByteBuffer.wrap(content, 70_001, LENGTH - 70_001));
      file.complete();
    }

    assertThat(Files.readAllBytes(directory.resolve("part"))).isEqualTo(content);
  }

  @Test
  void complete_tooShort_isTruncatedAndKept() throws Exception {
    try (PartialFile file = open()) {
      file.write(ByteBuffer.wrap(content, 0, 10));
      expect(Reason.TRUNCATED, file::complete);
    }

    assertThat(Files.size(directory.resolve("part"))).isEqualTo(10);
  }

  @Test
  void complete_anotherContent_isTamperedAndGone() throws Exception {
    content[LENGTH - 1]++;
    try (PartialFile file = open()) {
      file.write(ByteBuffer.wrap(content));
      expect(Reason.TAMPERED, file::complete);
    }

    assertThat(directory.resolve("part")).doesNotExist();
  }

  @Test
  void write_moreThanAnnounced_isOversizedAndGone() throws Exception {
    try (PartialFile file = open()) {
      file.write(ByteBuffer.wrap(content));
      expect(Reason.OVERSIZED, () -> file.write(ByteBuffer.allocate(1)));
    }

    assertThat(directory.resolve("part")).doesNotExist();
  }

  @Test
  void open_longerThanAnnounced_beginsAnew() throws Exception {
    Files.write(directory.resolve("part"), new byte[LENGTH + 1]);
    try (PartialFile file = open()) {
      assertThat(file.offset()).isZero();
    }
  }

  private interface Step {
    void run() throws Exception;
  }

  private static void expect(Reason reason, Step step) {
    assertThatThrownBy(step::run)
        .isInstanceOfSatisfying(UpdateRefused.class, e -> assertThat(e.reason()).isEqualTo(reason));
  }
}
