package dev.towline.runtime.updates;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/** A copy of a repository in a directory or on a share. Safe for use by several threads. */
public final class DirectorySource implements RepositorySource {
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
}
