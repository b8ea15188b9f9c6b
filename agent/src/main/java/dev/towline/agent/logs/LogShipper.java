package dev.towline.agent.logs;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.state.v1.KeptLogBatch;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.session.LogFeed;
import dev.towline.runtime.spool.Spool;
import dev.towline.runtime.spool.SpoolEntry;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Collects log records, signs them in batches, keeps the batches in a spool and sends them from
 * there until somebody has them on disk.
 *
 * <p>Lifecycle: {@link #start}, then it collects, and sends while the session has a way; {@link
 * #close} keeps what is left for the next start.
 *
 * <p>Threading: one thread owns all state; what the session calls is handed to it.
 *
 * <p>Failure: when the spool can't be written, files are read again later, the agent's own records
 * are dropped and counted; the agent goes on.
 */
public final class LogShipper implements LogFeed, AutoCloseable {
  public static final int LOG = 1;
  public static final int COUNTERS = 2;

  private static final Logger log = LoggerFactory.getLogger(LogShipper.class);
  private static final String CONTEXT = "towline logs v1";
  private static final int BATCH_BYTES = 20 << 10;
  private static final int WINDOW = 8;
  private static final int READ_BYTES = 64 << 10;
  private static final long COLLECT = Duration.ofMillis(500).toNanos();
  private static final long LOOK_AT_FILES = Duration.ofSeconds(1).toNanos();
  private static final long COUNT = Duration.ofSeconds(60).toNanos();
  private static final long SEND_AGAIN = Duration.ofSeconds(15).toNanos();
  private static final long SAVE = Duration.ofSeconds(5).toNanos();

  /** What a slow disk may take for the last records. */
  private static final Duration ENDED_WITHIN = Duration.ofSeconds(10);

  private static final long NEVER = Long.MAX_VALUE;

  private final Parts parts;
  private final TailedFiles files;
  private final BlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
  private final Deque<Sent> sent = new ArrayDeque<>();
  private final Thread thread;
  private Spool spool;
  private @Nullable Sink sink;
  private long epoch;
  private long lastSequence;
  private long dropped;
  private Map<String, Long> counted = Map.of();
  private boolean recordsWait;
  private long collectAt = NEVER;
  private long countAt;
  private long saveAt = NEVER;
  private boolean failing;
  private volatile boolean closed;
  private volatile boolean caughtUp;

  /** Opens the spool, also again after it broke. */
  @FunctionalInterface
  public interface SpoolOpener {
    Spool open() throws IOException;
  }

  /**
   * What it is made from.
   *
   * @param counters read once a minute
   * @param nanoTime as {@link System#nanoTime}
   */
  public record Parts(
      SpoolOpener spool,
      FleetMember member,
      ProgramLog program,
      Supplier<Map<String, Long>> counters,
      InstantSource clock,
      LongSupplier nanoTime,
      ThreadFactory threads) {}

  private static final class Sent {
    final long spoolSequence;
    final long epoch;
    final long lastSequence;
    final long at;
    boolean stored;

    Sent(long spoolSequence, long epoch, long lastSequence, long at) {
      this.spoolSequence = spoolSequence;
      this.epoch = epoch;
      this.lastSequence = lastSequence;
      this.at = at;
    }
  }

  public LogShipper(Parts parts, TailedFiles files) throws IOException {
    this.parts = parts;
    this.files = files;
    this.spool = parts.spool().open();
    this.epoch = parts.clock().millis();
    this.thread = parts.threads().newThread(this::run);
    restorePositions();
  }

  public void start() {
    parts.program().onRecord(() -> post(() -> recordsWait = true));
    countAt = now() + COUNT;
    collectAt = files.isEmpty() ? NEVER : now();
    thread.start();
  }

  /** Reads these files from now on, and no others. */
  public void follow(Collection<Path> wanted) {
    post(() -> {
      files.follow(wanted);
      collectAt = files.isEmpty() ? collectAt : now();
    });
  }

  @Override
  public void open(Sink way) {
    post(() -> {
      sink = way;
      sendAgain();
    });
  }

  @Override
  public void closed() {
    post(() -> sink = null);
  }

  @Override
  public void acknowledged(long batchEpoch, long batchLast) {
    post(() -> stored(batchEpoch, batchLast));
  }

  @Override
  public boolean isCaughtUp() {
    return caughtUp && events.isEmpty();
  }

  @Override
  public void rolledBack() {
    post(() -> {
      epoch = Math.max(epoch + 1, parts.clock().millis());
      lastSequence = 0;
    });
  }

  @Override
  public void close() {
    closed = true;
    parts.program().onRecord(() -> {});
    post(() -> {});
    try {
      if (!thread.join(ENDED_WITHIN)) {
        log.warn("the spool of logs is still in use {} after its end", ENDED_WITHIN);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void post(Runnable event) {
    events.add(event);
  }

  private long now() {
    return parts.nanoTime().getAsLong();
  }

  private void run() {
    try {
      while (!closed) {
        Runnable event = events.poll(waitNanos(), TimeUnit.NANOSECONDS);
        while (event != null) {
          event.run();
          event = events.poll();
        }
        turn();
        caughtUp = sent.isEmpty() && !recordsWait && !spool.hasMore();
      }
      collect();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.error("logs are not sent any more", e);
    } finally {
      files.close();
      closeSpool();
    }
  }

  private void closeSpool() {
    try {
      spool.close();
    } catch (IOException e) {
      log.warn("log spool: {}", e.getMessage());
    }
  }

  private long waitNanos() {
    long due = Math.min(Math.min(collectAt, saveAt), Math.min(countAt, againAt()));
    return due == NEVER ? Duration.ofHours(1).toNanos() : Math.max(0, due - now());
  }

  private long againAt() {
    return sink == null || sent.isEmpty() ? NEVER : sent.peek().at + SEND_AGAIN;
  }

  private void turn() {
    long now = now();
    if (recordsWait && collectAt == NEVER) {
      // Some more may come with it.
      collectAt = now + COLLECT;
    }
    if (!files.isEmpty() && collectAt == NEVER) {
      collectAt = now + LOOK_AT_FILES;
    }
    if (countAt <= now) {
      countAt = now + COUNT;
      count();
    }
    if (collectAt <= now) {
      collectAt = collect() ? now : files.isEmpty() ? NEVER : now + LOOK_AT_FILES;
    }
    if (againAt() <= now) {
      sendAgain();
    }
    try {
      if (saveAt <= now) {
        saveAt = NEVER;
        spool.saveCursor();
      }
      ship(now);
    } catch (IOException e) {
      failed(e);
    }
  }

  /** Brings into the spool what has come; true when more is there already. */
  private boolean collect() {
    recordsWait = false;
    List<LogRecord> records = new ArrayList<>();
    dropped += parts.program().takeDropped();
    if (dropped > 0) {
      records.add(
          notice(
              "log.dropped", dropped + " records of the agent's own log came too fast to be kept"));
    }
    records.addAll(parts.program().take());
    int own = records.size();
    boolean more = files.read(parts.clock().millis(), records);
    try {
      if (records.isEmpty()) {
        // A file that was looked at for the first time has a position from now on.
        files.keepPositions();
        return false;
      }
      keep(LOG, records, true);
      dropped = 0;
      files.keepPositions();
      return more;
    } catch (IOException e) {
      dropped += own;
      files.back();
      failed(e);
      return false;
    }
  }

  private void count() {
    Map<String, Long> counters = new TreeMap<>(parts.counters().get());
    if (counters.equals(counted) || counters.isEmpty()) {
      return;
    }
    try {
      keep(
          COUNTERS,
          List.of(
              LogRecord.newBuilder()
                  .setTimeMs(parts.clock().millis())
                  .setSource(ProgramLog.SOURCE)
                  .putAllCounters(counters)
                  .build()),
          false);
      counted = counters;
    } catch (IOException e) {
      failed(e);
    }
  }

  private LogRecord notice(String code, String message) {
    return LogRecord.newBuilder()
        .setTimeMs(parts.clock().millis())
        .setLevel("WARN")
        .setSource(ProgramLog.SOURCE)
        .setCode(code)
        .setMessage(message)
        .build();
  }

  /** Durable on return. */
  private void keep(int type, List<LogRecord> records, boolean withPositions) throws IOException {
    reopenIfBroken();
    long number = lastSequence;
    int from = 0;
    while (from < records.size()) {
      int to = from;
      int bytes = 0;
      while (to < records.size() && (to == from || bytes < BATCH_BYTES)) {
        bytes += records.get(to).getSerializedSize() + 4;
        to++;
      }
      if (to - from > 1 && bytes > BATCH_BYTES + LogLines.LONGEST) {
        to--;
      }
      LogBatch batch =
          LogBatch.newBuilder()
              .setAgent(parts.member().self().uri())
              .setEpoch(epoch)
              .setFirstSequence(number + 1)
              .addAllRecords(records.subList(from, to))
              .build();
      KeptLogBatch.Builder kept = KeptLogBatch.newBuilder().setBatch(signed(batch));
      if (withPositions && to == records.size()) {
        kept.addAllPositions(files.positions());
      }
      var _ = spool.append(type, to - from, kept.build().toByteArray());
      number += to - from;
      from = to;
    }
    spool.sync();
    lastSequence = number;
    failing = false;
  }

  private SignedLogBatch signed(LogBatch batch) {
    IssuedIdentity identity = parts.member().identity();
    ByteString bytes = batch.toByteString();
    return SignedLogBatch.newBuilder()
        .setBatch(bytes)
        .setSignature(
            ByteString.copyFrom(Signatures.signP256(identity.key(), CONTEXT, bytes.toByteArray())))
        .build();
  }

  private void ship(long now) throws IOException {
    Sink way = sink;
    while (way != null && sent.size() < WINDOW && spool.hasMore()) {
      List<SpoolEntry> entries = spool.read(1);
      if (entries.isEmpty()) {
        return;
      }
      switch (entries.getFirst()) {
        case SpoolEntry.Kept kept -> {
          KeptLogBatch stored = parsed(kept);
          LogBatch batch = LogBatch.parseFrom(stored.getBatch().getBatch());
          sent.add(
              new Sent(
                  kept.sequence(),
                  batch.getEpoch(),
                  batch.getFirstSequence() + batch.getRecordsCount() - 1,
                  now));
          way.send(stored.getBatch());
        }
        case SpoolEntry.Gap gap -> {
          keep(
              LOG,
              List.of(
                  notice(
                      "log.overwritten",
                      "%d log records and %d records of counters were overwritten or damaged before"
                              .formatted(gap.lost().of(LOG), gap.lost().of(COUNTERS))
                          + " they could be sent")),
              false);
          spool.ack(gap.sequence());
        }
      }
    }
  }

  private void stored(long batchEpoch, long batchLast) {
    for (Sent batch : sent) {
      if (batch.epoch == batchEpoch && batch.lastSequence == batchLast) {
        batch.stored = true;
        break;
      }
    }
    try {
      while (!sent.isEmpty() && sent.peek().stored) {
        spool.ack(sent.remove().spoolSequence);
        saveAt = saveAt == NEVER ? now() + SAVE : saveAt;
      }
    } catch (IOException e) {
      failed(e);
    }
  }

  private void sendAgain() {
    sent.clear();
    spool.rewind();
  }

  private void reopenIfBroken() throws IOException {
    if (spool.isBroken()) {
      spool.abandon();
      spool = parts.spool().open();
      sent.clear();
    }
  }

  private void failed(IOException e) {
    if (!failing) {
      failing = true;
      log.warn("log spool can't be used: {}", e.getMessage());
    }
  }

  /** What the newest batch says is newer than what was kept apart, or the same. */
  private void restorePositions() throws IOException {
    List<SpoolEntry> entries = spool.read(READ_BYTES);
    while (!entries.isEmpty()) {
      for (SpoolEntry entry : entries) {
        if (entry instanceof SpoolEntry.Kept kept) {
          files.restored(parsed(kept).getPositionsList());
        }
      }
      if (!(entries.getLast() instanceof SpoolEntry.Kept)) {
        break;
      }
      entries = spool.read(READ_BYTES);
    }
    spool.rewind();
  }

  private static KeptLogBatch parsed(SpoolEntry.Kept kept) throws InvalidProtocolBufferException {
    return KeptLogBatch.parseFrom(kept.payload());
  }
}
