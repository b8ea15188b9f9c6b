package dev.towline.proxy.status;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * The status on disk, for {@code towline-proxy status}. Replaced as a whole; it is worth nothing
 * after the process has gone, so it isn't forced to the disk.
 */
public final class StatusFile {
  /** Older than this, it is that of a process that is gone or stuck. */
  public static final Duration STALE = Duration.ofSeconds(30);

  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final Path file;

  public StatusFile(Path file) {
    this.file = file;
  }

  public void write(ProxyStatus status) throws IOException {
    Path next = file.resolveSibling(file.getFileName() + ".new");
    Files.write(next, JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(status));
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /** The last status; empty when there is none or it can't be read. */
  public Optional<ProxyStatus> read() {
    try {
      return Optional.of(JSON.readValue(Files.readAllBytes(file), ProxyStatus.class));
    } catch (IOException | JacksonException e) {
      return Optional.empty();
    }
  }

  /** Whether it is that of a process that lives. */
  public static boolean isFresh(ProxyStatus status, InstantSource clock) {
    return clock.millis() - status.writtenMs() <= STALE.toMillis();
  }

  public void delete() throws IOException {
    Files.deleteIfExists(file);
  }
}
