package dev.towline.proxy.spool;

import java.nio.file.Path;
import java.time.Duration;

/**
 * What becomes of what agents log.
 *
 * @param mode to the manager, or into a directory
 * @param bandwidth bytes per second for this proxy; 0 for no limit
 * @param frequency sent only every so often; zero for at once
 * @param directory where export.log is, in mode CACHE
 * @param size bytes: of the spool in mode RETURN, of all export files in mode CACHE
 */
public record SendingPolicy(
    Mode mode, long bandwidth, Duration frequency, Path directory, long size) {
  public enum Mode {
    RETURN,
    CACHE
  }

  /** 10 GB, as everywhere where nothing else is said. */
  public static final long USUAL_SIZE = 10_000_000_000L;

  public static SendingPolicy usual(Path data) {
    return new SendingPolicy(Mode.RETURN, 0, Duration.ZERO, data.resolve("export"), USUAL_SIZE);
  }

  public SendingPolicy withBandwidth(long bytesPerSecond) {
    return new SendingPolicy(mode, bytesPerSecond, frequency, directory, size);
  }
}
