package dev.towline.proxy.spool;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.KeptGap;
import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.SendingMode;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.proto.v1.UplinkReport;
import dev.towline.proxy.uplink.KeptQueue;
import dev.towline.proxy.uplink.WireBytes;
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
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The proxy's spool at work: takes what agents log, tells them when it is on the disk, and sends it
 * on in order as the policy says, to a manager or into export files.
 *
 * <p>Lifecycle: {@link #start}, then it works until {@link #close}, which keeps the cursor.
 *
 * <p>Threading: one thread owns the spool; everything public may be called from any thread.
 *
 * <p>Failure: what can't be written is not acknowledged, and its agent sends it again. A spool that
 * broke is opened again.
 */
public final class Keeper implements KeptQueue, AutoCloseable {
  public static final int LOG = 1;
  public static final int COUNTERS = 2;

  /** By type. */
  static final List<String> TYPES = List.of("unknown", "log", "counters");

  private static final Logger log = LoggerFactory.getLogger(Keeper.class);
  private static final long MOST_INCOMING = 8 << 20;
  private static final int LARGEST_BATCH = 64 << 10;
  private static final long WINDOW_BYTES = 1 << 20;
  private static final int WINDOW_RECORDS = 512;
  private static final long REPORT = Duration.ofSeconds(1).toNanos();
  private static final long SAVE = Duration.ofSeconds(1).toNanos();
  private static final long OPEN_AGAIN = Duration.ofSeconds(1).toNanos();
  private static final long NEVER = Long.MAX_VALUE;
  private static final int EXPORT_CHUNK = 256 << 10;

  private final Parts parts;
  private final BlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
  private final AtomicLong incoming = new AtomicLong();
  private final List<Waiting> appended = new ArrayList<>();
  private final Deque<Sent> sent = new ArrayDeque<>();
  private final TokenBucket bucket = new TokenBucket();
  private final Thread thread;
  private @Nullable Spool spool;
  private @Nullable Exporter exporter;
  private SendingPolicy policy;
  private long way;
  private long sentBytes;
  private final AtomicLong beside = new AtomicLong();
  private long besideCharged;
  private long share = -1;
  private long reportAt = NEVER;
  private String problem = "";

  /** Why the last policy was not taken; empty when it was. */
  private volatile String refusal = "";

  private long wireBytes;
  private long clientBytes;
  private long saveAt = NEVER;
  private long openAt;
  private long gateAt;
  private long gateUpTo;
  private volatile Load load = Load.NONE;
  private volatile boolean closed;

  /** Opens the spool, also again after it broke. */
  @FunctionalInterface
  public interface SpoolOpener {
    Spool open(long quotaBytes) throws IOException;
  }

  /** Where records go; called by the keeper's thread. */
  public interface Way {
    void send(long number, KeptRecord record);

    void report(long number, UplinkReport report);
  }

  /**
   * What it is made from.
   *
   * @param name names this spool for gaps
   * @param resources a report with what is known of the host
   * @param nanoTime as {@link System#nanoTime}
   */
  public record Parts(
      String name,
      SpoolOpener opener,
      Way way,
      Exporter.Opener exports,
      Supplier<UplinkReport.Builder> resources,
      LongSupplier nanoTime,
      ThreadFactory threads) {}

  /**
   * The spool at a moment.
   *
   * @param clientBytes what agents sent to be kept, since start
   * @param wireBytes what was sent to managers with all that the network adds, since start
   */
  public record Load(
      SpoolStats stats, long clientBytes, long wireBytes, SendingPolicy.@Nullable Mode mode) {
    static final Load NONE =
        new Load(new SpoolStats(0, 0, 0, Tally.NONE, Tally.NONE, 0, 0, 0), 0, 0, null);
  }

  private record Waiting(Consumer<RecordAck> kept, RecordAck ack) {}

  private record Sent(long sequence, int bytes) {}

  public Keeper(Parts parts, SendingPolicy policy) {
    this.parts = parts;
    this.policy = policy;
    this.thread = parts.threads().newThread(this::run);
  }

  public void start() {
    policy(policy);
    thread.start();
  }

  public Load load() {
    return load;
  }

  /** A policy could not be taken; the one before holds on. */
  public void refused(String why) {
    refusal = why;
  }

  /** From now on so; nothing is lost over it. */
  public void policy(SendingPolicy next) {
    refusal = "";
    events.add(() -> apply(next));
  }

  @Override
  public boolean keep(String identity, SignedLogBatch batch, Consumer<RecordAck> kept) {
    int bytes = batch.getSerializedSize();
    if (bytes > LARGEST_BATCH || incoming.get() + bytes > MOST_INCOMING) {
      return false;
    }
    incoming.addAndGet(bytes);
    events.add(() -> {
      incoming.addAndGet(-bytes);
      append(identity, batch, kept);
    });
    return true;
  }

  @Override
  public void way(long number) {
    events.add(() -> {
      way = number;
      // Another manager, or the same one after a while: it will say.
      share = -1;
      bucket.rate(policy.limit(share), now());
      reportAt = number == 0 ? NEVER : now();
      sendAgain();
    });
  }

  @Override
  public void sentBeside(int bytes) {
    beside.addAndGet(bytes);
  }

  @Override
  public void share(long bandwidth) {
    events.add(() -> {
      share = bandwidth;
      bucket.rate(policy.limit(share), now());
    });
  }

  @Override
  public void acknowledged(long sequence) {
    events.add(() -> stored(sequence));
  }

  @Override
  public void close() {
    closed = true;
    events.add(() -> {});
    try {
      thread.join(Duration.ofSeconds(5));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private long now() {
    return parts.nanoTime().getAsLong();
  }

  private void run() {
    try {
      long wait = 0;
      while (!closed) {
        Runnable event = events.poll(wait, TimeUnit.NANOSECONDS);
        while (event != null) {
          event.run();
          event = events.poll();
        }
        wait = turn();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.error("a defect in the spool: nothing is kept any more", e);
    } finally {
      shut();
    }
  }

  private void shut() {
    try {
      if (exporter != null) {
        exporter.close();
      }
      if (spool != null) {
        spool.close();
      }
    } catch (IOException e) {
      log.warn("spool: {}", e.getMessage());
    }
  }

  /** Does what can be done now; says how long nothing will be due. */
  private long turn() {
    long now = now();
    try {
      if (spool == null) {
        if (openAt > now) {
          return openAt - now;
        }
        spool = parts.opener().open(policy.size());
      }
      Spool open = spool;
      if (!appended.isEmpty()) {
        open.sync();
        appended.forEach(waiting -> waiting.kept().accept(waiting.ack()));
        appended.clear();
      }
      if (saveAt <= now) {
        saveAt = NEVER;
        open.saveCursor();
      }
      // Control goes whenever it has to; what is kept gets what it leaves.
      long control = beside.get();
      bucket.take((int) Math.min(Integer.MAX_VALUE, control - besideCharged));
      besideCharged = control;
      long wait =
          switch (policy.mode()) {
            case RETURN -> giveBack(open);
            case CACHE -> export(open);
          };
      load = new Load(open.stats(), clientBytes, wireBytes, policy.mode());
      if (reportAt <= now) {
        reportAt = now + REPORT;
        parts.way().report(way, report(open));
        problem = "";
      }
      long due = Math.min(saveAt, reportAt);
      return Math.max(0, Math.min(wait, due == NEVER ? NEVER : due - now));
    } catch (IOException e) {
      failed(e);
      return OPEN_AGAIN;
    }
  }

  private UplinkReport report(Spool open) {
    SpoolStats stats = open.stats();
    UplinkReport.Builder report =
        parts
            .resources()
            .get()
            .setMode(
                policy.mode() == SendingPolicy.Mode.RETURN ? SendingMode.RETURN : SendingMode.CACHE)
            .setRequiredBytes(clientBytes)
            .setSentBytes(wireBytes + besideCharged)
            .setWaitingBytes(stats.waitingBytes())
            .setSpoolBytes(stats.bytes())
            .setSpoolQuota(stats.quota())
            .putAllKept(named(stats.kept()))
            .putAllLost(named(stats.lost()))
            .setLimit(policy.limit(share))
            .setProblem(problem.isEmpty() ? refusal : problem);
    if (exporter != null) {
      report.putAllExported(named(exporter.written())).putAllOverwritten(named(exporter.lost()));
    }
    return report.build();
  }

  private static Map<String, Long> named(Tally tally) {
    Map<String, Long> counts = new TreeMap<>();
    for (int type = 0; type < TYPES.size(); type++) {
      if (tally.of(type) > 0) {
        counts.put(TYPES.get(type), tally.of(type));
      }
    }
    return counts;
  }

  private void failed(IOException e) {
    problem = String.valueOf(e.getMessage());
    log.warn("the spool can't be used, trying again: {}", e.getMessage());
    // Their agents send them again.
    appended.clear();
    sent.clear();
    sentBytes = 0;
    openAt = now() + OPEN_AGAIN;
    if (exporter != null) {
      exporter.abandon();
      exporter = null;
    }
    if (spool != null) {
      if (spool.isBroken()) {
        spool.abandon();
        spool = null;
      } else {
        spool.rewind();
      }
    }
  }

  private void append(String identity, SignedLogBatch batch, Consumer<RecordAck> kept) {
    Spool open = spool;
    LogBatch content;
    try {
      content = LogBatch.parseFrom(batch.getBatch());
    } catch (InvalidProtocolBufferException e) {
      return;
    }
    if (open == null || !content.getAgent().equals(identity) || content.getRecordsCount() == 0) {
      return;
    }
    try {
      boolean counters = content.getRecords(0).getCountersCount() > 0;
      byte[] bytes = batch.toByteArray();
      var _ = open.append(counters ? COUNTERS : LOG, content.getRecordsCount(), bytes);
      clientBytes += WireBytes.of(bytes.length);
      appended.add(
          new Waiting(
              kept,
              RecordAck.newBuilder()
                  .setRecordClass(RecordClass.RECORD_CLASS_LOG)
                  .setEpoch(content.getEpoch())
                  .setSequence(content.getFirstSequence() + content.getRecordsCount() - 1)
                  .setBy(RecordAck.By.PROXY)
                  .build()));
    } catch (IOException e) {
      failed(e);
    }
  }

  private void apply(SendingPolicy next) {
    boolean otherWay = next.mode() != policy.mode() || !next.directory().equals(policy.directory());
    policy = next;
    bucket.rate(next.limit(share), now());
    gateAt = next.frequency().isZero() ? 0 : Math.min(gateAt, now() + next.frequency().toNanos());
    if (spool != null) {
      spool.quota(next.size());
    }
    if (otherWay) {
      sendAgain();
    }
    if (exporter != null && (otherWay || next.size() != exporter.limit())) {
      try {
        exporter.close();
      } catch (IOException e) {
        log.warn("export: {}", e.getMessage());
      }
      exporter = null;
    }
  }

  private void sendAgain() {
    sent.clear();
    sentBytes = 0;
    if (spool != null) {
      spool.rewind();
    }
  }

  /** Sends what window, bandwidth and frequency allow. */
  private long giveBack(Spool open) throws IOException {
    while (way != 0 && open.hasMore()) {
      if (sentBytes >= WINDOW_BYTES || sent.size() >= WINDOW_RECORDS) {
        return NEVER;
      }
      long now = now();
      long wait = Math.max(gate(open, now), bucket.waitNanos(now));
      if (wait > 0) {
        return wait;
      }
      List<SpoolEntry> entries = open.read(1);
      if (entries.isEmpty()) {
        return NEVER;
      }
      KeptRecord record = record(entries.getFirst());
      int wire = WireBytes.of(record.getSerializedSize());
      bucket.take(wire);
      wireBytes += wire;
      sent.add(new Sent(record.getSequence(), wire));
      sentBytes += wire;
      parts.way().send(way, record);
    }
    return NEVER;
  }

  /** With a frequency, everything that is there when the time has come may go, and then nothing. */
  private long gate(Spool open, long now) {
    if (policy.frequency().isZero()) {
      return 0;
    }
    if (now >= gateAt) {
      gateAt = now + policy.frequency().toNanos();
      gateUpTo = open.stats().lastSequence();
    }
    return open.position() < gateUpTo ? 0 : gateAt - now;
  }

  private KeptRecord record(SpoolEntry entry) throws IOException {
    KeptRecord.Builder record = KeptRecord.newBuilder().setSequence(entry.sequence());
    switch (entry) {
      case SpoolEntry.Kept kept -> record.setLogBatch(SignedLogBatch.parseFrom(kept.payload()));
      case SpoolEntry.Gap gap -> {
        KeptGap.Builder told =
            KeptGap.newBuilder().setSpool(parts.name()).putAllLost(named(gap.lost()));
        log.warn("the spool lost, by type: {}", told.getLostMap());
        record.setGap(told);
      }
    }
    return record.build();
  }

  private void stored(long sequence) {
    Spool open = spool;
    if (open == null || policy.mode() != SendingPolicy.Mode.RETURN) {
      return;
    }
    while (!sent.isEmpty() && sent.peek().sequence() <= sequence) {
      sentBytes -= sent.remove().bytes();
    }
    try {
      open.ack(sequence);
      saveAt = saveAt == NEVER ? now() + SAVE : saveAt;
    } catch (IOException e) {
      failed(e);
    }
  }

  private long export(Spool open) throws IOException {
    Exporter to = exporter;
    if (to == null) {
      to = parts.exports().open(policy.directory(), policy.size());
      exporter = to;
    }
    List<SpoolEntry> entries = open.read(EXPORT_CHUNK);
    if (entries.isEmpty()) {
      return NEVER;
    }
    for (SpoolEntry entry : entries) {
      to.write(entry);
    }
    to.sync();
    open.ack(entries.getLast().sequence());
    saveAt = saveAt == NEVER ? now() + SAVE : saveAt;
    return 0;
  }
}
