package dev.towline.proxy.status;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongSupplier;

/** What this process takes of its host, from {@code /proc}. Threading: thread-safe. */
public final class ProcessLoad {
  /** USER_HZ, which Linux has fixed for programs. */
  private static final long NANOS_PER_TICK = 10_000_000;

  private static final long KIB_PER_PAGE = 4;

  private final Path proc;
  private final LongSupplier nanoTime;
  private long lastTicks;
  private long lastNanos;

  public ProcessLoad(Path proc, LongSupplier nanoTime) {
    this.proc = proc;
    this.nanoTime = nanoTime;
    this.lastNanos = nanoTime.getAsLong();
    this.lastTicks = ticks();
  }

  /** Of one core, in thousandths, since the last call. */
  public synchronized long cpuPermille() {
    long now = nanoTime.getAsLong();
    long ticks = ticks();
    long passed = now - lastNanos;
    long used = (ticks - lastTicks) * NANOS_PER_TICK;
    lastNanos = now;
    lastTicks = ticks;
    return passed <= 0 ? 0 : used * 1000 / passed;
  }

  /** Resident memory in KiB; 0 when it is not known. */
  public long residentKib() {
    try {
      return Long.parseLong(Files.readString(proc.resolve("self/statm")).split(" ")[1])
          * KIB_PER_PAGE;
    } catch (IOException | RuntimeException e) {
      return 0;
    }
  }

  private long ticks() {
    try {
      String stat = Files.readString(proc.resolve("self/stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
      return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
    } catch (IOException | RuntimeException e) {
      return 0;
    }
  }
}
