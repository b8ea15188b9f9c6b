package dev.towline.proxy.spool;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.ClientChange;
import dev.towline.proto.v1.KeptAck;
import dev.towline.proto.v1.KeptGap;
import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.proto.v1.SendingMode;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.proto.v1.SpoolQueue;
import dev.towline.proto.v1.UplinkReport;
import dev.towline.proxy.uplink.KeptQueue;
import dev.towline.proxy.uplink.WireBytes;
import dev.towline.runtime.spool.Spool;
import dev.towline.runtime.spool.SpoolEntry;
import dev.towline.runtime.spool.SpoolStats;
import dev.towline.runtime.spool.Tally;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
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

  public static final int PRESENCE = 3;
  public static final int RESULT = 4;
  public static final int EVENT = 5;

  /** By type. */
  static final List<String> TYPES =
      List.of("unknown", "log", "counters", "presence", "result", "event");

  private static final Logger log = LoggerFactory.getLogger(Keeper.class);
  private static final long MOST_INCOMING = 8 << 20;
  private static final int LARGEST_BATCH = 64 << 10;

  /** What records may have of the whole, and how much that is at most. */
  private static final int RECORDS_PART = 10;

  private static final long MOST_RECORDS = 1L << 30;
  private static final long REPORT = Duration.ofSeconds(1).toNanos();
  private static final long OPEN_AGAIN = Duration.ofSeconds(1).toNanos();
  private static final long NEVER = Long.MAX_VALUE;
  private static final int EXPORT_CHUNK = 256 << 10;

  private final Parts parts;
  private final BlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
  private final AtomicLong incoming = new AtomicLong();
  private final Outgoing logs;
  private final Outgoing records;
  private final TokenBucket bucket = new TokenBucket();

  /** As {@link #bucket}, and never in debt for what logs took. */
  private final TokenBucket recordsBucket = new TokenBucket();

  /** Records wait for their bandwidth, and logs behind them. */
  private boolean recordsWait;

  private final Thread thread;
  private @Nullable Exporter exporter;
  private SendingPolicy policy;
  private long way;
  private final AtomicLong beside = new AtomicLong();
  private long besideCharged;
  private long share = -1;
  private long reportAt = NEVER;
  private String problem = "";

  /** Why the last policy was not taken; empty when it was. */
  private volatile String refusal = "";

  private long wireBytes;
  private long clientBytes;
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
   * @param opener of the spool for logs and counters
   * @param records of the one for what agents say while no manager hears them
   * @param resources a report with what is known of the host
   * @param clock for what is seen here
   * @param nanoTime as {@link System#nanoTime}
   */
  public record Parts(
      String name,
      SpoolOpener opener,
      SpoolOpener records,
      Way way,
      Exporter.Opener exports,
      Supplier<UplinkReport.Builder> resources,
      InstantSource clock,
      LongSupplier nanoTime,
      ThreadFactory threads) {}

  /**
   * The spool at a moment.
   *
   * @param stats of logs and counters
   * @param kept items of everything that is kept, by type
   * @param quota of everything that is kept, bytes
   * @param clientBytes what agents sent to be kept, since start
   * @param wireBytes what was sent to managers with all that the network adds, since start
   */
  public record Load(
      SpoolStats stats,
      Map<String, Long> kept,
      long quota,
      long clientBytes,
      long wireBytes,
      SendingPolicy.@Nullable Mode mode) {
    static final Load NONE =
        new Load(new SpoolStats(0, 0, 0, Tally.NONE, Tally.NONE, 0, 0, 0), Map.of(), 0, 0, 0, null);
  }

  /** Sends what it may from one spool; how long nothing will be due. */
  private interface Work {
    long run(Outgoing queue) throws IOException;
  }

  public Keeper(Parts parts, SendingPolicy policy) {
    this.parts = parts;
    this.policy = policy;
    this.logs = new Outgoing(parts.opener(), logsQuota(policy));
    this.records = new Outgoing(parts.records(), recordsQuota(policy));
    this.thread = parts.threads().newThread(this::run);
  }

  private static long recordsQuota(SendingPolicy policy) {
    return Math.min(MOST_RECORDS, policy.size() / RECORDS_PART);
  }

  private static long logsQuota(SendingPolicy policy) {
    return policy.size() - recordsQuota(policy);
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
  public boolean keep(String identity, SealedRecord record, Consumer<RecordAck> kept) {
    int bytes = record.getSerializedSize();
    if (!record.getAgent().equals(identity)
        || typeOf(record) == 0
        || incoming.get() + bytes > MOST_INCOMING) {
      return false;
    }
    RecordAck ack =
        RecordAck.newBuilder()
            .setRecordClass(record.getRecordClass())
            .setId(record.getId())
            .setBy(RecordAck.By.PROXY)
            .build();
    incoming.addAndGet(bytes);
    events.add(() -> {
      incoming.addAndGet(-bytes);
      append(
          typeOf(record),
          KeptRecord.newBuilder().setSealed(record).build(),
          () -> kept.accept(ack));
    });
    return true;
  }

  private static int typeOf(SealedRecord record) {
    return switch (record.getRecordClass()) {
      case RECORD_CLASS_RESULT -> RESULT;
      case RECORD_CLASS_SECURITY_EVENT -> EVENT;
      case RECORD_CLASS_DEPARTURE -> PRESENCE;
      case RECORD_CLASS_LOG, RECORD_CLASS_UNSPECIFIED, UNRECOGNIZED -> 0;
    };
  }

  @Override
  public void changed(ClientChange change) {
    KeptRecord record =
        KeptRecord.newBuilder()
            .setChange(change.toBuilder().setTimeMs(parts.clock().millis()))
            .build();
    int bytes = record.getSerializedSize();
    if (incoming.addAndGet(bytes) > MOST_INCOMING) {
      incoming.addAndGet(-bytes);
      return;
    }
    events.add(() -> {
      incoming.addAndGet(-bytes);
      append(PRESENCE, record, () -> {});
    });
  }

  @Override
  public void way(long number) {
    events.add(() -> {
      way = number;
      // Another manager, or the same one after a while: it will say.
      share = -1;
      limit();
      reportAt = number == 0 ? NEVER : now();
      logs.sendAgain();
      records.sendAgain();
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
      limit();
    });
  }

  @Override
  public void acknowledged(KeptAck ack) {
    events.add(() -> stored(ack));
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
    // What came before the end still counts.
    for (Runnable event = events.poll(); event != null; event = events.poll()) {
      event.run();
    }
    try {
      if (exporter != null) {
        exporter.close();
      }
      logs.close();
      records.close();
    } catch (IOException e) {
      log.warn("spool: {}", e.getMessage());
    }
  }

  /** Does what can be done now; says how long nothing will be due. */
  private long turn() {
    long now = now();
    // Control goes whenever it has to; what is kept gets what it leaves.
    long control = beside.get();
    int taken = (int) Math.min(Integer.MAX_VALUE, control - besideCharged);
    bucket.take(taken);
    recordsBucket.take(taken);
    besideCharged = control;
    recordsWait = false;
    long wait =
        Math.min(
            attempt(records, this::giveRecords),
            attempt(
                logs,
                switch (policy.mode()) {
                  case RETURN -> this::giveBack;
                  case CACHE -> this::export;
                }));
    load =
        new Load(
            logs.stats(),
            named(logs.stats().kept().plus(records.stats().kept())),
            policy.size(),
            clientBytes,
            wireBytes,
            policy.mode());
    if (reportAt <= now && logs.isOpen()) {
      reportAt = now + REPORT;
      parts.way().report(way, report());
      problem = "";
    }
    long due = Math.min(reportAt, Math.min(logs.due(), records.due()));
    return Math.max(0, Math.min(wait, due == NEVER ? NEVER : due - now()));
  }

  private long attempt(Outgoing queue, Work work) {
    try {
      long closed = queue.prepare(now());
      if (closed > 0) {
        return closed;
      }
      queue.settle(now());
      return work.run(queue);
    } catch (IOException e) {
      failed(queue, e);
      return OPEN_AGAIN;
    }
  }

  private UplinkReport report() {
    SpoolStats stats = logs.stats();
    SpoolStats besides = records.stats();
    UplinkReport.Builder report =
        parts
            .resources()
            .get()
            .setMode(
                policy.mode() == SendingPolicy.Mode.RETURN ? SendingMode.RETURN : SendingMode.CACHE)
            .setRequiredBytes(clientBytes)
            .setSentBytes(wireBytes + besideCharged)
            .setWaitingBytes(stats.waitingBytes() + besides.waitingBytes())
            .setSpoolBytes(stats.bytes() + besides.bytes())
            .setSpoolQuota(stats.quota() + besides.quota())
            .putAllKept(named(stats.kept().plus(besides.kept())))
            .putAllLost(named(stats.lost().plus(besides.lost())))
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

  private void failed(Outgoing queue, IOException e) {
    problem = String.valueOf(e.getMessage());
    log.warn("the spool can't be used, trying again: {}", e.getMessage());
    queue.failed(now());
    if (queue == logs && exporter != null) {
      exporter.abandon();
      exporter = null;
    }
  }

  private void append(int type, KeptRecord record, Runnable durable) {
    if (!records.isOpen()) {
      return;
    }
    try {
      records.append(type, 1, record.toByteArray(), durable);
    } catch (IOException e) {
      failed(records, e);
    }
  }

  private void append(String identity, SignedLogBatch batch, Consumer<RecordAck> kept) {
    LogBatch content;
    try {
      content = LogBatch.parseFrom(batch.getBatch());
    } catch (InvalidProtocolBufferException e) {
      return;
    }
    if (!logs.isOpen() || !content.getAgent().equals(identity) || content.getRecordsCount() == 0) {
      return;
    }
    try {
      boolean counters = content.getRecords(0).getCountersCount() > 0;
      byte[] bytes = batch.toByteArray();
      RecordAck ack =
          RecordAck.newBuilder()
              .setRecordClass(RecordClass.RECORD_CLASS_LOG)
              .setEpoch(content.getEpoch())
              .setSequence(content.getFirstSequence() + content.getRecordsCount() - 1)
              .setBy(RecordAck.By.PROXY)
              .build();
      logs.append(
          counters ? COUNTERS : LOG, content.getRecordsCount(), bytes, () -> kept.accept(ack));
      clientBytes += WireBytes.of(bytes.length);
    } catch (IOException e) {
      failed(logs, e);
    }
  }

  private void limit() {
    long rate = policy.limit(share);
    bucket.rate(rate, now());
    recordsBucket.rate(policy.mode() == SendingPolicy.Mode.RETURN ? rate : 0, now());
  }

  private void apply(SendingPolicy next) {
    boolean otherWay = next.mode() != policy.mode() || !next.directory().equals(policy.directory());
    policy = next;
    limit();
    gateAt = next.frequency().isZero() ? 0 : Math.min(gateAt, now() + next.frequency().toNanos());
    logs.quota(logsQuota(next));
    records.quota(recordsQuota(next));
    if (otherWay) {
      logs.sendAgain();
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

  /** Sends what window, bandwidth and frequency allow. */
  private long giveBack(Outgoing queue) throws IOException {
    while (way != 0 && !recordsWait && queue.spool().hasMore() && !queue.windowIsFull()) {
      long now = now();
      long wait = Math.max(gate(queue.spool(), now), bucket.waitNanos(now));
      if (wait > 0) {
        return wait;
      }
      SpoolEntry entry = queue.next();
      if (entry == null) {
        return NEVER;
      }
      KeptRecord.Builder record =
          switch (entry) {
            case SpoolEntry.Kept kept ->
                KeptRecord.newBuilder().setLogBatch(SignedLogBatch.parseFrom(kept.payload()));
            case SpoolEntry.Gap gap -> gap(gap);
          };
      send(queue, record.setSequence(entry.sequence()));
    }
    return NEVER;
  }

  /**
   * Sends what window and bandwidth allow. Frequency is for logs, and who keeps those in a
   * directory has no bandwidth to share.
   */
  private long giveRecords(Outgoing queue) throws IOException {
    while (way != 0 && queue.spool().hasMore() && !queue.windowIsFull()) {
      long wait = recordsBucket.waitNanos(now());
      if (wait > 0) {
        recordsWait = true;
        return wait;
      }
      SpoolEntry entry = queue.next();
      if (entry == null) {
        return NEVER;
      }
      KeptRecord.Builder record =
          switch (entry) {
            case SpoolEntry.Kept kept -> KeptRecord.parseFrom(kept.payload()).toBuilder();
            case SpoolEntry.Gap gap -> gap(gap);
          };
      send(queue, record.setSequence(entry.sequence()).setQueue(SpoolQueue.SPOOL_QUEUE_RECORDS));
    }
    return NEVER;
  }

  private void send(Outgoing queue, KeptRecord.Builder record) {
    int wire = WireBytes.of(record.build().getSerializedSize());
    bucket.take(wire);
    if (queue == records) {
      recordsBucket.take(wire);
    }
    wireBytes += wire;
    queue.sent(record.getSequence(), wire);
    parts.way().send(way, record.build());
  }

  private KeptRecord.Builder gap(SpoolEntry.Gap gap) {
    KeptGap.Builder told =
        KeptGap.newBuilder().setSpool(parts.name()).putAllLost(named(gap.lost()));
    log.warn("the spool lost, by type: {}", told.getLostMap());
    return KeptRecord.newBuilder().setGap(told);
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

  private void stored(KeptAck ack) {
    Outgoing queue = ack.getQueue() == SpoolQueue.SPOOL_QUEUE_RECORDS ? records : logs;
    if (!queue.isOpen() || (queue == logs && policy.mode() != SendingPolicy.Mode.RETURN)) {
      return;
    }
    try {
      queue.stored(ack.getSequence(), now());
    } catch (IOException e) {
      failed(queue, e);
    }
  }

  private long export(Outgoing queue) throws IOException {
    Exporter to = exporter;
    if (to == null) {
      to = parts.exports().open(policy.directory(), policy.size());
      exporter = to;
    }
    List<SpoolEntry> entries = queue.spool().read(EXPORT_CHUNK);
    if (entries.isEmpty()) {
      return NEVER;
    }
    for (SpoolEntry entry : entries) {
      to.write(entry);
    }
    to.sync();
    queue.passed(entries.getLast().sequence(), now());
    return 0;
  }
}
