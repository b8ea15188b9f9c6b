package dev.towline.runtime.updates;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/** A copy of a repository in a directory or on a share. Safe for use by several threads. */
public final class DirectorySource implements RepositorySource {
  private static final int CHUNK = 64 << 10;

  private final Path directory;

  public DirectorySource(Path directory) {
    this.directory = directory;
  }

  @Override
  public String name() {
    return directory.toString();
  }

  @Override
  public Optional<byte[]> fetch(String path, long limit) throws IOException {
    try (InputStream in = Files.newInputStream(directory.resolve(path))) {
      return Optional.of(in.readNBytes(Math.toIntExact(limit + 1)));
    } catch (NoSuchFileException _) {
      return Optional.empty();
    }
  }

  /** A disk has no pace: nobody else waits for it. */
  @Override
  public void copy(String path, PartialFile file, TransferPace pace)
      throws IOException, UpdateRefused, InterruptedException {
    try (InputStream in = Files.newInputStream(directory.resolve(path))) {
      in.skipNBytes(file.offset());
      byte[] buffer = new byte[CHUNK];
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        file.write(ByteBuffer.wrap(buffer, 0, read));
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
      }
    } catch (NoSuchFileException _) {
      throw new UpdateRefused(UpdateRefused.Reason.MISSING, path + ": not there");
    }
  }
}
