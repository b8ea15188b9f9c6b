package dev.towline.runtime.spool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * A producer that sends again what was not acknowledged, a receiver that remembers what it has, and
 * a spool between them on a disk that is full, dies, fails and decays. Seeds: {@code
 * -Dtowline.simulation.seeds=N}, {@code -Dtowline.simulation.first=N}.
 */
@Requirement({"P7", "P8"})
class SpoolSimulationTest {
  private static final int SEEDS =
      Integer.getInteger(
          "towline.simulation.seeds", Boolean.getBoolean("towline.long") ? 10_000 : 1_000);

  @Test
  void spool_killTornTailFullDiskDamage_losesNothingUncounted() throws IOException {
    long first =
        Long.getLong(
            "towline.simulation.first",
            // The usual run is the same each time.
            Boolean.getBoolean("towline.long") ? System.nanoTime() : 1);
    System.out.println("spool simulation: seeds " + first + " to " + (first + SEEDS - 1));
    var totals = new long[5];
    for (long seed = first; seed < first + SEEDS; seed++) {
      try {
        new Run(seed, totals).run();
      } catch (AssertionError | RuntimeException | IOException e) {
        throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
      }
    }
    System.out.printf(
        "spool simulation: %d acknowledged, %d delivered, %d lost and counted, %d crashes,"
            + " %d failures%n",
        totals[0], totals[1], totals[2], totals[3], totals[4]);
    // A simulation in which nothing goes wrong shows nothing.
    assertThat(totals[2]).isPositive();
    assertThat(totals[3]).isPositive();
    assertThat(totals[4]).isPositive();
  }

  private static final class Run {
    final Random random;
    final long[] totals;
    final FaultyFiles files;
    final Spool.Options options;
    final int rate;
    final int appetite;
    final boolean fullDisk;
    final boolean decays;
    Spool spool;

    /** What the producer made: number, type, items; the number goes into the payload. */
    final List<int[]> made = new ArrayList<>();

    int safe;
    int sent;

    /** Was given to the spool again; its first writing may have been overwritten since. */
    final Set<Integer> again = new HashSet<>();

    final Set<Integer> everSent = new HashSet<>();

    /** The last record that was written with this sequence. */
    final Map<Long, Integer> bySequence = new HashMap<>();

    /** The receiver. */
    final Map<Integer, Boolean> stored = new HashMap<>();

    final List<Integer> order = new ArrayList<>();
    final Set<SpoolEntry.Gap> gaps = new LinkedHashSet<>();
    boolean damaged;
    long lastSequence;

    Run(long seed, long[] totals) {
      random = new Random(seed);
      this.totals = totals;
      files = new FaultyFiles(random);
      int segment = 200 + random.nextInt(1500);
      options =
          new Spool.Options(segment * (2L + random.nextInt(8)), segment, 64 + random.nextInt(900));
      rate = 2 + random.nextInt(12);
      appetite = 100 + random.nextInt(3000);
      fullDisk = random.nextInt(3) == 0;
      decays = random.nextInt(4) == 0;
      if (fullDisk) {
        files.capacity = options.quotaBytes() / 2 + random.nextInt((int) options.quotaBytes());
      }
    }

    void run() throws IOException {
      open();
      int steps = 50 + random.nextInt(400);
      for (int i = 0; i < steps; i++) {
        if (random.nextInt(40) == 0) {
          files.killIn = 1 + random.nextInt(12);
        }
        if (random.nextInt(60) == 0) {
          files.failIn = 1 + random.nextInt(8);
        }
        try {
          step();
        } catch (FaultyFiles.Killed e) {
          restart();
        } catch (IOException e) {
          totals[4]++;
          sent = safe;
          if (spool.isBroken()) {
            restart();
          }
        }
      }
      // The disk is well again: everything goes through.
      files.killIn = Integer.MAX_VALUE;
      files.failIn = Integer.MAX_VALUE;
      files.capacity = Long.MAX_VALUE;
      if (random.nextBoolean() || spool.isBroken()) {
        restart();
      }
      drainAll();
      verify();
    }

    void step() throws IOException {
      switch (random.nextInt(10)) {
        case 0, 1, 2, 3 -> produce(1 + random.nextInt(rate));
        case 4, 5 -> sync();
        case 6, 7 -> consume(1 + random.nextInt(appetite), random.nextInt(4) > 0);
        case 8 -> {
          if (random.nextInt(4) == 0) {
            spool.rewind();
            lastSequence = 0;
          } else {
            spool.saveCursor();
          }
        }
        default -> {
          if (random.nextInt(6) == 0) {
            restart();
          }
        }
      }
    }

    void produce(int count) throws IOException {
      for (int i = 0; i < count; i++) {
        if (sent == made.size()) {
          made.add(new int[] {1 + random.nextInt(3), 1 + random.nextInt(5), random.nextInt(120)});
        }
        int[] record = made.get(sent);
        byte[] payload = ByteBuffer.allocate(4 + record[2]).putInt(sent).array();
        // A killed append may have written it.
        bySequence.put(spool.nextSequence(), sent);
        if (!everSent.add(sent)) {
          again.add(sent);
        }
        spool.append(record[0], record[1], payload);
        sent++;
      }
    }

    void sync() throws IOException {
      spool.sync();
      totals[0] += sent - safe;
      safe = sent;
    }

    void consume(int bytes, boolean acknowledge) throws IOException {
      List<SpoolEntry> entries = spool.read(bytes);
      for (SpoolEntry entry : entries) {
        receive(entry);
      }
      if (acknowledge && !entries.isEmpty()) {
        spool.ack(entries.get(random.nextInt(entries.size())).sequence());
      }
    }

    void receive(SpoolEntry entry) {
      assertThat(entry.sequence())
          .as("sequence")
          .isGreaterThanOrEqualTo(lastSequence + (entry instanceof SpoolEntry.Kept ? 1 : 0));
      lastSequence = entry.sequence();
      switch (entry) {
        case SpoolEntry.Kept kept -> {
          int number = ByteBuffer.wrap(kept.payload()).getInt();
          assertThat(made.get(number)[0]).isEqualTo(kept.type());
          assertThat(made.get(number)[1]).isEqualTo(kept.items());
          if (stored.put(number, true) == null) {
            order.add(number);
            totals[1]++;
          }
        }
        case SpoolEntry.Gap gap -> {
          gaps.add(gap);
          if (!damaged) {
            Tally expected = Tally.NONE;
            for (long s = gap.after() + 1; s <= gap.sequence(); s++) {
              int[] record = made.get(bySequence.get(s));
              expected = expected.plus(record[0], record[1]);
            }
            assertThat(gap.lost()).isEqualTo(expected);
          }
        }
      }
    }

    void open() throws IOException {
      while (true) {
        try {
          spool = Spool.open(files, options);
          return;
        } catch (FaultyFiles.Killed e) {
          files.crash();
        } catch (IOException e) {
          // A disk that is full without us: somebody makes room.
          files.failIn = Integer.MAX_VALUE;
          files.capacity += 1000;
        }
      }
    }

    void restart() throws IOException {
      totals[3]++;
      files.crash();
      if (decays && random.nextInt(3) == 0) {
        damaged |= files.damage();
      }
      open();
      lastSequence = 0;
      sent = safe;
    }

    void drainAll() throws IOException {
      spool.rewind();
      lastSequence = 0;
      while (true) {
        List<SpoolEntry> entries = spool.read(1000);
        if (entries.isEmpty()) {
          break;
        }
        entries.forEach(this::receive);
        spool.ack(entries.getLast().sequence());
      }
      assertThat(spool.stats().kept().isNone() || damaged).isTrue();
    }

    void verify() {
      assertThat(order.stream().filter(number -> !again.contains(number)).toList())
          .as("order")
          .isSorted();
      long missing = 0;
      for (int number = 0; number < safe; number++) {
        missing += stored.containsKey(number) ? 0 : made.get(number)[1];
      }
      long counted = gaps.stream().mapToLong(gap -> gap.lost().total()).sum();
      totals[2] += counted;
      if (!damaged) {
        // Counted may be more: what was delivered, but not acknowledged before a crash, and
        // overwritten then.
        assertThat(missing).as("lost items").isLessThanOrEqualTo(counted);
        for (int number = 0; number < safe; number++) {
          if (!stored.containsKey(number)) {
            assertThat(inGap(number))
                .as("record %d is in one of %s, sequences %s", number, gaps, bySequence)
                .isTrue();
          }
        }
      }
    }

    boolean inGap(int number) {
      return bySequence.entrySet().stream()
          .filter(e -> e.getValue() == number)
          .anyMatch(e ->
              gaps.stream().anyMatch(g -> g.after() < e.getKey() && e.getKey() <= g.sequence()));
    }
  }
}
