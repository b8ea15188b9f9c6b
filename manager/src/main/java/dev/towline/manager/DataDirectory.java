package dev.towline.manager;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;

/** The manager's directory, readable by its owner only, held by one process at a time. */
final class DataDirectory implements AutoCloseable {
  static final ErrorCode DATA_IN_USE = ErrorCode.user("DATA_IN_USE");

  private final FileChannel lock;

  private DataDirectory(FileChannel lock) {
    this.lock = lock;
  }

  static DataDirectory open(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      Files.createDirectories(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
    FileChannel channel =
        FileChannel.open(
            directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    if (lock(channel) == null) {
      channel.close();
      throw new TowlineException(
          DATA_IN_USE,
          "data directory " + directory + " is in use by another manager",
          "stop that one first, or use another directory");
    }
    return new DataDirectory(channel);
  }

  private static @Nullable FileLock lock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null;
    }
  }

  @Override
  public void close() throws IOException {
    lock.close();
  }
}
