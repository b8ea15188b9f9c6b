package dev.towline.runtime.spool;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.DurableFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A directory as {@link SpoolFiles}, locked against a second writer while it is open.
 *
 * <p>FileChannel and no mapped memory: a mapped write on a full disk kills the process.
 */
public final class DiskFiles implements SpoolFiles {
  public static final ErrorCode IN_USE = ErrorCode.user("SPOOL_IN_USE");

  private static final String LOCK = "lock";

  private final Path directory;
  private final FileChannel lock;

  private DiskFiles(Path directory, FileChannel lock) {
    this.directory = directory;
    this.lock = lock;
  }

  public static DiskFiles open(Path directory) throws IOException {
    Files.createDirectories(directory);
    FileChannel channel =
        FileChannel.open(
            directory.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    FileLock taken;
    try {
      taken = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      taken = null;
    }
    if (taken == null) {
      channel.close();
      throw new TowlineException(
          IN_USE,
          "spool directory: %s is in use by another process".formatted(directory),
          "stop that process, or name another directory");
    }
    return new DiskFiles(directory, channel);
  }

  @Override
  public List<String> list() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }

  @Override
  public SpoolFile open(String name) throws IOException {
    return new DiskFile(
        FileChannel.open(
            directory.resolve(name),
            StandardOpenOption.CREATE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE));
  }

  @Override
  public void delete(String name) throws IOException {
    Files.deleteIfExists(directory.resolve(name));
  }

  @Override
  public void syncDirectory() throws IOException {
    DurableFiles.syncDirectory(directory);
  }

  @Override
  public void replace(String name, byte[] content) throws IOException {
    DurableFiles.replace(directory.resolve(name), content);
  }

  @Override
  public Optional<byte[]> read(String name) throws IOException {
    Path file = directory.resolve(name);
    return Files.exists(file) ? Optional.of(Files.readAllBytes(file)) : Optional.empty();
  }

  @Override
  public void close() {
    closeQuietly(lock);
  }

  private static void closeQuietly(@Nullable FileChannel channel) {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("failed to close a spool file", e);
    }
  }

  private record DiskFile(FileChannel channel) implements SpoolFile {
    @Override
    public long size() throws IOException {
      return channel.size();
    }

    @Override
    public void write(long position, ByteBuffer bytes) throws IOException {
      long at = position;
      while (bytes.hasRemaining()) {
        at += channel.write(bytes, at);
      }
    }

    @Override
    public int read(long position, ByteBuffer into) throws IOException {
      int total = 0;
      while (into.hasRemaining()) {
        int count = channel.read(into, position + total);
        if (count < 0) {
          break;
        }
        total += count;
      }
      return total;
    }

    @Override
    public void truncate(long size) throws IOException {
      channel.truncate(size);
    }

    @Override
    public void force() throws IOException {
      channel.force(false);
    }

    @Override
    public void close() {
      closeQuietly(channel);
    }
  }
}
