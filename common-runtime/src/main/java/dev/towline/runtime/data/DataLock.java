package dev.towline.runtime.data;

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

/**
 * Keeps a second program of the same kind out of a data directory; the system lets go of it when
 * the process ends.
 */
public final class DataLock implements AutoCloseable {
  public static final ErrorCode IN_USE = ErrorCode.user("DATA_DIRECTORY_IN_USE");

  private final FileChannel channel;

  private DataLock(FileChannel channel) {
    this.channel = channel;
  }

  /**
   * Makes the directory, for its owner only, if it is not there.
   *
   * @param program what runs there, for the error: {@code agent}
   * @throws TowlineException with {@link #IN_USE} when another process holds it
   */
  public static DataLock take(Path data, String program) throws IOException {
    if (!Files.isDirectory(data)) {
      Files.createDirectories(
          data, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
    FileChannel channel =
        FileChannel.open(data.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    if (tryLock(channel) == null) {
      channel.close();
      throw new TowlineException(
          IN_USE,
          "data directory is in use: " + data,
          "another " + program + " runs with it; stop that one, or use another --data");
    }
    return new DataLock(channel);
  }

  private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null;
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
