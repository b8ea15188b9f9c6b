package dev.towline.proxy.spool;

import dev.towline.runtime.spool.Spool;
import dev.towline.runtime.spool.SpoolEntry;
import dev.towline.runtime.spool.SpoolStats;
import dev.towline.runtime.spool.Tally;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One spool with what is under way from it: what was appended and waits for the disk, what was sent
 * and waits for its acknowledgement.
 *
 * <p>Lifecycle: opened when it is first needed and again after it broke, until {@link #close}.
 *
 * <p>Threading: the keeper's thread.
 *
 * <p>Failure: an I/O error is the caller's to catch, who then says {@link #failed}.
 */
final class Outgoing {
  private static final long WINDOW_BYTES = 1 << 20;
  private static final int WINDOW_RECORDS = 512;
  private static final long SAVE = Duration.ofSeconds(1).toNanos();
  private static final long OPEN_AGAIN = Duration.ofSeconds(1).toNanos();
  private static final long NEVER = Long.MAX_VALUE;

  private static final SpoolStats NOTHING =
      new SpoolStats(0, 0, 0, Tally.NONE, Tally.NONE, 0, 0, 0);

  private final Keeper.SpoolOpener opener;
  private final List<Runnable> appended = new ArrayList<>();
  private final Deque<Sent> sent = new ArrayDeque<>();
  private long quota;
  private @Nullable Spool spool;
  private long sentBytes;
  private long saveAt = NEVER;
  private long openAt;

  private record Sent(long sequence, int bytes) {}

  Outgoing(Keeper.SpoolOpener opener, long quota) {
    this.opener = opener;
    this.quota = quota;
  }

  /** Opens it when that is due; how long it stays closed otherwise. */
  long prepare(long now) throws IOException {
    if (spool == null) {
      if (openAt > now) {
        return openAt - now;
      }
      spool = opener.open(quota);
    }
    return 0;
  }

  /** Makes durable what was appended, and tells so; keeps the cursor when that is due. */
  void settle(long now) throws IOException {
    if (!appended.isEmpty()) {
      spool().sync();
      appended.forEach(Runnable::run);
      appended.clear();
    }
    if (saveAt <= now) {
      saveAt = NEVER;
      spool().saveCursor();
    }
  }

  /** When {@link #settle} has something to do though nothing happens. */
  long due() {
    return saveAt;
  }

  boolean isOpen() {
    return spool != null;
  }

  Spool spool() {
    return Objects.requireNonNull(spool, "an open spool");
  }

  void quota(long bytes) {
    quota = bytes;
    if (spool != null) {
      spool.quota(bytes);
    }
  }

  /**
   * @param durable runs when it is on the disk
   */
  void append(int type, int items, byte[] payload, Runnable durable) throws IOException {
    var _ = spool().append(type, items, payload);
    appended.add(durable);
  }

  boolean windowIsFull() {
    return sentBytes >= WINDOW_BYTES || sent.size() >= WINDOW_RECORDS;
  }

  /** The next one to send; null when there is none. */
  @Nullable SpoolEntry next() throws IOException {
    List<SpoolEntry> entries = spool().read(1);
    return entries.isEmpty() ? null : entries.getFirst();
  }

  void sent(long sequence, int bytes) {
    sent.add(new Sent(sequence, bytes));
    sentBytes += bytes;
  }

  /** Everything up to this sequence is stored elsewhere. */
  void stored(long sequence, long now) throws IOException {
    while (!sent.isEmpty() && sent.peek().sequence() <= sequence) {
      sentBytes -= sent.remove().bytes();
    }
    passed(sequence, now);
  }

  /** As {@link #stored}, for what was not sent. */
  void passed(long sequence, long now) throws IOException {
    spool().ack(sequence);
    saveAt = saveAt == NEVER ? now + SAVE : saveAt;
  }

  /** What was not acknowledged comes again. */
  void sendAgain() {
    sent.clear();
    sentBytes = 0;
    if (spool != null) {
      spool.rewind();
    }
  }

  /** After an I/O error: who was not told that something is durable sends it again. */
  void failed(long now) {
    appended.clear();
    sent.clear();
    sentBytes = 0;
    openAt = now + OPEN_AGAIN;
    if (spool == null) {
      return;
    }
    if (spool.isBroken()) {
      spool.abandon();
      spool = null;
    } else {
      spool.rewind();
    }
  }

  SpoolStats stats() {
    return spool == null ? NOTHING : spool.stats();
  }

  void close() throws IOException {
    if (spool != null) {
      spool.close();
    }
  }
}
