package dev.towline.runtime.spool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.runtime.error.TowlineException;
import dev.towline.testing.Requirement;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** The spool on a real disk. */
@Requirement({"P7", "P8"})
class SpoolDiskTest {
  private static final int KILLS = Boolean.getBoolean("towline.long") ? 100 : 20;

  @TempDir Path directory;

  @Test
  void append_processKilled_everythingSafeIsThereInOrder() throws Exception {
    long seed = System.nanoTime();
    System.out.println("spool kills: " + KILLS + ", seed " + seed);
    var random = new Random(seed);
    Tally read = Tally.NONE;
    Tally lost = Tally.NONE;
    long last = 0;
    for (int kill = 0; kill < KILLS; kill++) {
      long safe = Math.max(last, appendUntilKilled(random));
      Spool spool = Spool.open(DiskFiles.open(directory), SpoolAppender.OPTIONS);
      assertThat(spool.nextSequence() - 1).as("kill %d", kill).isGreaterThanOrEqualTo(safe);
      // Now and then it fills up instead.
      boolean drains = random.nextInt(3) > 0 || kill == KILLS - 1;
      List<SpoolEntry> entries = drains ? spool.read(1 << 20) : List.of();
      while (!entries.isEmpty()) {
        for (SpoolEntry entry : entries) {
          switch (entry) {
            case SpoolEntry.Kept kept -> {
              assertThat(kept.sequence()).isEqualTo(last + 1);
              assertThat(ByteBuffer.wrap(kept.payload()).getLong()).isEqualTo(kept.sequence());
              read = read.plus(kept.type(), kept.items());
            }
            case SpoolEntry.Gap gap -> {
              assertThat(gap.after()).isEqualTo(last);
              assertThat(gap.lost().total()).isEqualTo(gap.sequence() - gap.after());
              lost = lost.plus(gap.lost());
            }
          }
          last = entry.sequence();
        }
        spool.ack(last);
        entries = spool.read(1 << 20);
      }
      if (drains) {
        assertThat(last).isEqualTo(spool.nextSequence() - 1);
        assertThat(spool.stats().lost()).isEqualTo(lost);
      }
      assertThat(spool.stats().bytes()).isLessThanOrEqualTo(SpoolAppender.OPTIONS.quotaBytes());
      spool.close();
    }
    assertThat(read.plus(lost).total()).isEqualTo(last);
    System.out.println("spool kills: " + read.total() + " read, " + lost.total() + " overwritten");
  }

  /** What the process said last is safe. */
  private long appendUntilKilled(Random random) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xshare:auto",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                SpoolAppender.class.getName(),
                directory.toString(),
                Long.toString(random.nextLong()))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    long safe = 0;
    try (var said =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII))) {
      int lines = 1 + random.nextInt(300);
      String line = said.readLine();
      while (line != null) {
        safe = Long.parseLong(line);
        if (--lines == 0) {
          // Not the process's own method, which closes what it said before.
          process.toHandle().destroyForcibly();
        }
        line = wholeLine(said);
      }
    }
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return safe;
  }

  /** The last line may have been cut short by the kill. */
  private static String wholeLine(BufferedReader said) throws Exception {
    var line = new StringBuilder();
    int c = said.read();
    while (c >= 0 && c != '\n') {
      line.append((char) c);
      c = said.read();
    }
    return c < 0 ? null : line.toString();
  }

  @Test
  void open_directoryInUse_isRefused() throws Exception {
    try (DiskFiles _ = DiskFiles.open(directory)) {
      assertThatThrownBy(() -> DiskFiles.open(directory))
          .isInstanceOf(TowlineException.class)
          .hasMessageContaining("in use");
    }
  }

  @Test
  @EnabledIfSystemProperty(named = "towline.long", matches = "true")
  void open_tenGigabytes_takesFiveSecondsAtMost() throws Exception {
    var options = new Spool.Options(10L << 30, 64 << 20);
    Spool spool = Spool.open(DiskFiles.open(directory), options);
    byte[] payload = new byte[64 << 10];
    new Random(1).nextBytes(payload);
    while (spool.stats().bytes() < (10L << 30) - (65 << 20)) {
      for (int i = 0; i < 64; i++) {
        spool.append(1, 1, payload);
      }
      spool.sync();
    }
    // The cursor in the middle of a segment, as after a crash.
    List<SpoolEntry> entries = spool.read(40 << 20);
    spool.ack(entries.getLast().sequence());
    spool.saveCursor();
    spool.abandon();
    long before = System.nanoTime();
    Spool again = Spool.open(DiskFiles.open(directory), options);
    assertThat(again.read(1)).hasSize(1);
    double seconds = (System.nanoTime() - before) / 1e9;
    System.out.printf("spool: %.2f s to open %d bytes%n", seconds, again.stats().bytes());
    assertThat(seconds).isLessThanOrEqualTo(5);
    again.close();
  }
}
