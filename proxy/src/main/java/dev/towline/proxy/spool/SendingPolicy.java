package dev.towline.proxy.spool;

import java.nio.file.Path;
import java.time.Duration;

/**
 * What becomes of what agents log.
 *
 * @param mode to the manager, or into a directory
 * @param clusterBandwidth bytes per second for all proxies of the cluster; 0 for no limit
 * @param proxyBandwidth bytes per second for this proxy; 0 for no limit
 * @param frequency sent only every so often; zero for at once
 * @param directory where export.log is, in mode CACHE
 * @param size bytes of the spool, and of all export files together in mode CACHE
 */
public record SendingPolicy(
    Mode mode,
    long clusterBandwidth,
    long proxyBandwidth,
    Duration frequency,
    Path directory,
    long size) {
  /** 10 GB, as everywhere where nothing else is said. */
  public static final long USUAL_SIZE = 10_000_000_000L;

  /** Until a manager says what this proxy's part is, it takes one that rarely is too much. */
  private static final int CAUTIOUS_PART = 16;

  /** Where it goes. */
  public enum Mode {
    RETURN,
    CACHE
  }

  /** What holds until a manager says otherwise. */
  public static SendingPolicy usual(Path data) {
    return new SendingPolicy(Mode.RETURN, 0, 0, Duration.ZERO, data.resolve("export"), USUAL_SIZE);
  }

  /**
   * Bytes per second that may be sent; 0 for no limit.
   *
   * @param share this proxy's part of the cluster's bandwidth; negative when nobody told it
   */
  long limit(long share) {
    if (clusterBandwidth == 0) {
      return proxyBandwidth;
    }
    long part = share >= 0 ? Math.max(1, share) : Math.max(1, clusterBandwidth / CAUTIOUS_PART);
    return proxyBandwidth == 0 ? part : Math.min(part, proxyBandwidth);
  }
}
