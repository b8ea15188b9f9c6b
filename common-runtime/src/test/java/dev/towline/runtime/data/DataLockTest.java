package dev.towline.runtime.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DataLockTest {
  @TempDir Path directory;

  @Test
  void take_directoryIsMissing_makesItForItsOwnerOnly() throws IOException {
    Path data = directory.resolve("new/data");
    try (DataLock _ = DataLock.take(data, "agent")) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(data)))
          .isEqualTo("rwx------");
    }
  }

  @Test
  void take_directoryIsHeld_isRefusedUntilItIsLetGo() throws IOException {
    try (DataLock _ = DataLock.take(directory, "relay")) {
      assertThatThrownBy(() -> DataLock.take(directory, "relay").close())
          .isInstanceOfSatisfying(
              TowlineException.class, e -> assertThat(e.code()).isEqualTo(DataLock.IN_USE))
          .hasMessageContaining(directory.toString());
    }
    DataLock.take(directory, "relay").close();
  }
}
