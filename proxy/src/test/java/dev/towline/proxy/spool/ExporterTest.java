package dev.towline.proxy.spool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.runtime.spool.SpoolEntry;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Export files: readable with standard tools, bounded, counted, whole after any crash. */
@Requirement("P8")
class ExporterTest {
  private static final int PER_BATCH = 3;

  @TempDir Path directory;

  @Test
  void write_crashesAtAnyPlace_everyItemIsThereOnceInOrder() throws Exception {
    long seed = Boolean.getBoolean("towline.long") ? System.nanoTime() : 1;
    System.out.println("export crashes: seed " + seed);
    var random = new Random(seed);
    int batches = 400;
    // What the spool holds from here on is given again after a crash.
    int acknowledged = 0;
    while (acknowledged < batches) {
      Exporter exporter = Exporter.open(directory, 1 << 20);
      int until = Math.min(batches, acknowledged + random.nextInt(120));
      int safe = acknowledged;
      for (int n = acknowledged; n < until; n++) {
        exporter.write(batch(n + 1));
        if (random.nextInt(10) == 0) {
          exporter.sync();
          safe = n + 1;
        }
      }
      exporter.abandon();
      // Some of what was synced is not acknowledged yet, and the end of the file is torn.
      acknowledged = Math.max(acknowledged, safe - random.nextInt(5));
      if (safe < until || random.nextBoolean()) {
        tear(random);
      }
      acknowledged = until == batches && safe == batches ? batches : acknowledged;
    }
    Exporter.open(directory, 1 << 20).close();
    List<String> lines = lines();
    for (int i = 0; i < lines.size(); i++) {
      assertThat(lines.get(i)).contains("\"message\":\"item " + i + " ");
    }
    assertThat(lines).hasSize(batches * PER_BATCH);
  }

  private void tear(Random random) throws IOException {
    Path file = directory.resolve(Exporter.FILE);
    String rubbish = "{\"n\":99999,\"type\":\"log\",\"mess".substring(0, random.nextInt(28));
    Files.writeString(file, rubbish, StandardOpenOption.APPEND);
  }

  @Test
  void write_pastTheLimit_oldestGoAndAreCountedExactly() throws Exception {
    long limit = 60_000;
    Exporter exporter = Exporter.open(directory, limit);
    int batches = 2_000;
    for (int n = 1; n <= batches; n++) {
      exporter.write(batch(n));
    }
    exporter.sync();
    assertThat(size()).isLessThanOrEqualTo(limit);
    long there = lines().size();
    assertThat(exporter.lost().of(Keeper.LOG)).isPositive();
    assertThat(there + exporter.lost().of(Keeper.LOG)).isEqualTo((long) batches * PER_BATCH);
    assertThat(exporter.written().of(Keeper.LOG)).isEqualTo((long) batches * PER_BATCH);
    exporter.close();
    Exporter again = Exporter.open(directory, limit);
    assertThat(there + again.lost().of(Keeper.LOG)).isEqualTo((long) batches * PER_BATCH);
    again.close();
  }

  private long size() throws IOException {
    long sum = 0;
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.filter(f -> f.toString().contains("export")).toList()) {
        sum += file.toString().endsWith(".state") ? 0 : Files.size(file);
      }
    }
    return sum;
  }

  /** Everything there is, oldest first, as zcat and cat show it. */
  private List<String> lines() throws Exception {
    List<String> lines = new ArrayList<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".gz")).sorted().toList()) {
        Process zcat = new ProcessBuilder("zcat", file.toString()).start();
        new String(zcat.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
            .lines()
            .forEach(lines::add);
        assertThat(zcat.waitFor()).isZero();
      }
    }
    lines.addAll(Files.readAllLines(directory.resolve(Exporter.FILE)));
    return lines;
  }

  private static SpoolEntry batch(long number) {
    LogBatch.Builder batch =
        LogBatch.newBuilder().setAgent("spiffe://f/agent/a").setEpoch(1).setFirstSequence(number);
    for (int i = 0; i < PER_BATCH; i++) {
      long item = (number - 1) * PER_BATCH + i;
      batch.addRecords(
          LogRecord.newBuilder()
              .setLevel("INFO")
              .setMessage("item " + item + " " + Long.toHexString(item * 0x9E3779B97F4A7C15L)));
    }
    byte[] payload =
        SignedLogBatch.newBuilder().setBatch(batch.build().toByteString()).build().toByteArray();
    return new SpoolEntry.Kept(number, Keeper.LOG, PER_BATCH, payload);
  }
}
