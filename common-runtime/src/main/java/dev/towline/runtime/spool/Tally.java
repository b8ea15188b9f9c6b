package dev.towline.runtime.spool;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * How many items of each type; type 0 is "unknown". Items, not records: one record may hold a
 * batch.
 */
public record Tally(long... counts) {
  /** Types are 1 to this. */
  public static final int MOST = 7;

  static final int BYTES = (MOST + 1) * Long.BYTES;

  public static final Tally NONE = new Tally(new long[MOST + 1]);

  public Tally {
    counts = counts.clone();
    if (counts.length != MOST + 1) {
      throw new IllegalArgumentException("types: %d".formatted(counts.length));
    }
  }

  public long of(int type) {
    return counts[type];
  }

  public long total() {
    return Arrays.stream(counts).sum();
  }

  public boolean isNone() {
    return Arrays.stream(counts).allMatch(count -> count == 0);
  }

  public Tally plus(int type, long items) {
    long[] sum = counts();
    sum[type] += items;
    return new Tally(sum);
  }

  public Tally plus(Tally other) {
    long[] sum = counts();
    for (int i = 0; i < sum.length; i++) {
      sum[i] += other.counts[i];
    }
    return new Tally(sum);
  }

  /** What this has more than the other; never below zero. */
  Tally beyond(Tally other) {
    long[] difference = counts();
    for (int i = 0; i < difference.length; i++) {
      difference[i] = Math.max(0, difference[i] - other.counts[i]);
    }
    return new Tally(difference);
  }

  @Override
  public long[] counts() {
    return counts.clone();
  }

  void write(ByteBuffer into) {
    for (long count : counts) {
      into.putLong(count);
    }
  }

  static Tally read(ByteBuffer from) {
    long[] counts = new long[MOST + 1];
    for (int i = 0; i < counts.length; i++) {
      counts[i] = from.getLong();
    }
    return new Tally(counts);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Tally tally && Arrays.equals(counts, tally.counts);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(counts);
  }

  @Override
  public String toString() {
    return Arrays.toString(counts);
  }
}
