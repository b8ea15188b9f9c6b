package dev.towline.runtime.spool;

/** What a spool gives back, in order of sequence. */
public sealed interface SpoolEntry {
  /** To be given to {@link Spool#ack} when it has been dealt with. */
  long sequence();

  /**
   * A record.
   *
   * @param items how many items the record counts for
   */
  record Kept(long sequence, int type, int items, byte[] payload) implements SpoolEntry {
    @Override
    public boolean equals(Object other) {
      return other instanceof Kept kept && kept.sequence == sequence;
    }

    @Override
    public int hashCode() {
      return Long.hashCode(sequence);
    }
  }

  /**
   * Here something is missing that was overwritten, or that can't be read any more.
   *
   * @param sequence of the last record before the next one that is there
   * @param after the last sequence before the gap
   * @param lost what is missing
   */
  record Gap(long sequence, long after, Tally lost) implements SpoolEntry {}
}
