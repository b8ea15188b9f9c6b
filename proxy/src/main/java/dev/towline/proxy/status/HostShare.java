package dev.towline.proxy.status;

import dev.towline.proto.v1.UplinkReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongSupplier;

/** How much of its host the proxy takes. Threading: one caller. */
public final class HostShare {
  private final ProcessLoad load;
  private final Path data;
  private final LongSupplier quota;
  private final long memoryKib;

  /**
   * @param cgroup what limits this process, {@code /sys/fs/cgroup}
   * @param quota bytes that the spool may have
   */
  public HostShare(Path proc, Path cgroup, ProcessLoad load, Path data, LongSupplier quota) {
    this.load = load;
    this.data = data;
    this.quota = quota;
    this.memoryKib = Math.min(memoryKib(proc), limitKib(cgroup));
  }

  /** A report that holds this and nothing else. */
  public UplinkReport.Builder report() {
    int processors = Runtime.getRuntime().availableProcessors();
    return UplinkReport.newBuilder()
        .setCpuPermille((int) (load.cpuPermille() / processors))
        .setMemoryPermille(memoryKib == 0 ? 0 : (int) (1000 * load.residentKib() / memoryKib))
        .setDiskPermille(diskPermille());
  }

  private int diskPermille() {
    try {
      double total = Files.getFileStore(data).getTotalSpace();
      return total <= 0 ? 0 : (int) Math.min(10_000, 1000 * (quota.getAsLong() / total));
    } catch (IOException e) {
      return 0;
    }
  }

  /** What a container may have at most; without a limit, all there is. */
  private static long limitKib(Path cgroup) {
    try {
      return Long.parseLong(Files.readString(cgroup.resolve("memory.max")).strip()) / 1024;
    } catch (IOException | NumberFormatException e) {
      return Long.MAX_VALUE;
    }
  }

  /** 0 when it is not known. */
  private static long memoryKib(Path proc) {
    try {
      for (String line : Files.readAllLines(proc.resolve("meminfo"))) {
        if (line.startsWith("MemTotal:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", ""));
        }
      }
    } catch (IOException | NumberFormatException e) {
      return 0;
    }
    return 0;
  }
}
