package dev.towline.bench;

import dev.towline.runtime.spool.DiskFiles;
import dev.towline.runtime.spool.Spool;
import dev.towline.runtime.spool.SpoolEntry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;

/**
 * The spool on the disk under the temporary directory: 1 KiB records, an fsync for every 4 MiB, the
 * oldest segments overwritten all the while; then reading what is there.
 */
final class SpoolFigures implements Bench.Benchmark {
  private static final int RUNS = 5;
  private static final int RECORD = 1 << 10;
  private static final int GROUP = 4096;
  private static final long QUOTA = 1L << 30;
  private static final long TOTAL = 3L << 30;
  private static final int SEGMENT = 64 << 20;

  @Override
  public String about() {
    return "appending to the proxy's spool, durable, and reading it";
  }

  @Override
  public void run(Path repository, Report report) throws Exception {
    List<Double> appends = new ArrayList<>();
    List<Double> reads = new ArrayList<>();
    for (int run = 0; run < RUNS; run++) {
      Path directory = Files.createTempDirectory("towline-bench-spool-");
      try {
        Spool spool = Spool.open(DiskFiles.open(directory), new Spool.Options(QUOTA, SEGMENT));
        appends.add(append(spool));
        reads.add(read(spool));
        spool.close();
      } finally {
        try (Stream<Path> files = Files.list(directory)) {
          for (Path file : files.toList()) {
            Files.delete(file);
          }
        }
        Files.delete(directory);
      }
    }
    report.note("append, MB/s: " + rounded(appends) + "; read, MB/s: " + rounded(reads));
    report.add(
        new Figure("spool.append_mb_per_s", Samples.median(appends), "MB/s", 300, false, ""));
    report.add(new Figure("spool.read_mb_per_s", Samples.median(reads), "MB/s", 300, false, ""));
  }

  private static double append(Spool spool) throws IOException {
    byte[] payload = new byte[RECORD];
    new Random(1).nextBytes(payload);
    long from = System.nanoTime();
    for (long bytes = 0; bytes < TOTAL; bytes += (long) GROUP * RECORD) {
      for (int i = 0; i < GROUP; i++) {
        spool.append(1, 1, payload);
      }
      spool.sync();
    }
    return TOTAL / 1e6 / ((System.nanoTime() - from) / 1e9);
  }

  private static double read(Spool spool) throws IOException {
    long bytes = 0;
    long from = System.nanoTime();
    List<SpoolEntry> entries = spool.read(1 << 20);
    while (!entries.isEmpty()) {
      for (SpoolEntry entry : entries) {
        bytes += entry instanceof SpoolEntry.Kept kept ? kept.payload().length : 0;
      }
      spool.ack(entries.getLast().sequence());
      entries = spool.read(1 << 20);
    }
    return bytes / 1e6 / ((System.nanoTime() - from) / 1e9);
  }

  private static List<String> rounded(List<Double> values) {
    return values.stream().map(value -> String.format(Locale.ROOT, "%.0f", value)).toList();
  }
}
