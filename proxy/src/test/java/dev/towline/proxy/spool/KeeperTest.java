package dev.towline.proxy.spool;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ClientChange;
import dev.towline.proto.v1.KeptAck;
import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.proto.v1.SpoolQueue;
import dev.towline.proto.v1.UplinkReport;
import dev.towline.runtime.spool.DiskFiles;
import dev.towline.runtime.spool.Spool;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The spool at work, with an uplink that a test plays. */
@Requirement({"P7", "P8"})
class KeeperTest {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final String AGENT = "spiffe://f/agent/a";

  @TempDir private Path directory;
  private final List<RecordAck> acks = new CopyOnWriteArrayList<>();
  private final List<KeptRecord> sent = new CopyOnWriteArrayList<>();
  private final AtomicLong ahead = new AtomicLong();
  private final List<UplinkReport> reports = new CopyOnWriteArrayList<>();
  private Keeper keeper;

  @BeforeEach
  void start() {
    keeper =
        new Keeper(
            new Keeper.Parts(
                "p1",
                quota ->
                    Spool.open(
                        DiskFiles.open(directory.resolve("spool")),
                        new Spool.Options(quota, 1 << 20)),
                quota ->
                    Spool.open(
                        DiskFiles.open(directory.resolve("records")),
                        new Spool.Options(quota, 1 << 20)),
                new Keeper.Way() {
                  @Override
                  public void send(long number, KeptRecord record) {
                    sent.add(record);
                  }

                  @Override
                  public void report(long number, UplinkReport report) {
                    reports.add(report);
                  }
                },
                Exporter::open,
                UplinkReport::newBuilder,
                InstantSource.system(),
                () -> System.nanoTime() + ahead.get(),
                Thread.ofPlatform().daemon().factory()),
            policy(SendingPolicy.Mode.RETURN, 0, Duration.ZERO));
    keeper.start();
    // The spool is opened on the keeper's thread.
    Await.until("the spool", BOUND, () -> keeper.load().stats().quota() > 0);
  }

  @AfterEach
  void stop() {
    keeper.close();
  }

  @Test
  void way_lostAndBack_sendsEverythingInOrderFromTheLastAcknowledgement() {
    keep(1, 100);
    assertThat(sent).isEmpty();
    keeper.way(1);
    Await.until("all of them", BOUND, () -> sent.size() == 100);
    assertThat(sequences()).containsExactlyElementsOf(range(1, 100));
    keeper.acknowledged(ack(SpoolQueue.SPOOL_QUEUE_LOGS, 60));
    Await.until("60", BOUND, () -> keeper.load().stats().acknowledged() == 60);
    sent.clear();
    keeper.way(2);
    Await.until("the rest", BOUND, () -> sent.size() == 40);
    assertThat(sequences()).containsExactlyElementsOf(range(61, 100));
    keeper.close();
    start();
    sent.clear();
    keeper.way(1);
    Await.until("the rest after a restart", BOUND, () -> sent.size() == 40);
    assertThat(sequences()).containsExactlyElementsOf(range(61, 100));
  }

  @Test
  void bandwidth_saturated_isKept() {
    keep(1, 200);
    keeper.policy(policy(SendingPolicy.Mode.RETURN, 100_000, Duration.ZERO));
    long from = System.nanoTime();
    keeper.way(1);
    Await.until("the last", BOUND, () -> sent.size() == 200);
    double seconds = (System.nanoTime() - from) / 1e9;
    double rate = keeper.load().wireBytes() / seconds;
    // How near it comes is a matter of TokenBucketTest: this machine may be too busy to send more.
    assertThat(rate).isLessThan(106_000.0);
    Await.until(
        "a report of the limit",
        BOUND,
        () -> !reports.isEmpty() && reports.getLast().getLimit() == 100_000);
  }

  @Test
  void bandwidth_holdsForRecordsToo_andTheyComeBeforeLogs() {
    keep(1, 1);
    for (int number = 1; number <= 100; number++) {
      assertThat(keeper.keep(AGENT, sealed("r" + number), acks::add)).isTrue();
    }
    Await.until("the acknowledgements", BOUND, () -> acks.size() == 101);
    keeper.policy(policy(SendingPolicy.Mode.RETURN, 100_000, Duration.ZERO));
    long from = System.nanoTime();

    keeper.way(1);

    Await.until("the last", BOUND, () -> sent.size() == 101);
    double seconds = (System.nanoTime() - from) / 1e9;
    // The last one may leave a debt, and a little may come at once.
    assertThat(keeper.load().wireBytes() - 8_000).isLessThan((long) (100_000 * seconds));
    assertThat(sent.getLast().getQueue()).isEqualTo(SpoolQueue.SPOOL_QUEUE_LOGS);
    assertThat(sequences().subList(0, 100)).containsExactlyElementsOf(range(1, 100));
  }

  @Test
  void record_whileLogsOweBandwidthAndWaitForTheirTime_goesAtOnce() {
    keeper.policy(policy(SendingPolicy.Mode.RETURN, 1, Duration.ofHours(1)));
    keeper.way(1);
    keep(1, 2);
    Await.until("one of them", BOUND, () -> sent.size() == 1);

    assertThat(keeper.keep(AGENT, sealed("r1"), acks::add)).isTrue();

    Await.until("the record", BOUND, () -> sent.size() == 2);
    assertThat(sent.getLast().getSealed().getId()).isEqualTo("r1");
  }

  @Test
  void frequency_everyHour_sendsInBursts() {
    Duration hour = Duration.ofHours(1);
    keeper.policy(policy(SendingPolicy.Mode.RETURN, 0, hour));
    keeper.way(1);
    keep(1, 1);
    Await.until("the first", BOUND, () -> sent.size() == 1);
    keep(2, 20);
    assertThat(sent).hasSize(1);
    pass(hour);
    Await.until("the next burst", BOUND, () -> sent.size() == 20);
    keep(21, 21);
    assertThat(sent).hasSize(20);
    pass(hour);
    Await.until("the last", BOUND, () -> sent.size() == 21);
  }

  /** The keeper waits by a clock that does not leap: it is woken. */
  private void pass(Duration time) {
    ahead.addAndGet(time.toNanos());
    keeper.share(-1);
  }

  @Test
  void mode_switchedThereAndBack_nothingIsMissing() throws IOException {
    keeper.way(1);
    keep(1, 10);
    Await.until("ten", BOUND, () -> sent.size() == 10);
    // Five came through; the others are on the way when the mode changes.
    keeper.acknowledged(ack(SpoolQueue.SPOOL_QUEUE_LOGS, 5));
    keeper.policy(policy(SendingPolicy.Mode.CACHE, 0, Duration.ZERO));
    keep(11, 20);
    Await.until("the export", BOUND, () -> keeper.load().stats().acknowledged() == 20);
    List<String> lines = Files.readAllLines(directory.resolve("export").resolve("export.log"));
    assertThat(lines).hasSize(15);
    assertThat(lines.getFirst()).contains("\"message\":\"line 6 ");
    sent.clear();
    keeper.policy(policy(SendingPolicy.Mode.RETURN, 0, Duration.ZERO));
    keep(21, 22);
    Await.until("the manager's", BOUND, () -> sent.size() == 2);
    assertThat(sequences()).containsExactly(21L, 22L);
  }

  @Test
  void records_whileLogsMayNotGo_areSentInOrderAndOnceAcknowledgedNotAgain() {
    keeper.policy(policy(SendingPolicy.Mode.CACHE, 1, Duration.ofHours(1)));
    keep(1, 50);
    keeper.changed(ClientChange.newBuilder().setAgent(AGENT).setCame(true).build());
    assertThat(keeper.keep(AGENT, sealed("r1"), acks::add)).isTrue();
    assertThat(keeper.keep(AGENT, sealed("r2"), acks::add)).isTrue();
    Await.until("the acknowledgements", BOUND, () -> acks.size() == 52);
    assertThat(acks.getLast().getId()).isEqualTo("r2");
    assertThat(acks.getLast().getBy()).isEqualTo(RecordAck.By.PROXY);
    keeper.close();

    start();
    keeper.policy(policy(SendingPolicy.Mode.CACHE, 1, Duration.ofHours(1)));
    keeper.way(1);
    Await.until("all of them", BOUND, () -> sent.size() == 3);
    assertThat(sent).extracting(KeptRecord::getQueue).containsOnly(SpoolQueue.SPOOL_QUEUE_RECORDS);
    assertThat(sequences()).containsExactly(1L, 2L, 3L);
    assertThat(sent.getFirst().getChange().getCame()).isTrue();
    assertThat(sent.getFirst().getChange().getTimeMs()).isPositive();
    assertThat(sent.getLast().getSealed().getId()).isEqualTo("r2");
    // An acknowledgement of one queue means nothing for the other.
    keeper.acknowledged(ack(SpoolQueue.SPOOL_QUEUE_LOGS, 3));
    keeper.acknowledged(ack(SpoolQueue.SPOOL_QUEUE_RECORDS, 2));
    Await.until(
        "what waits",
        BOUND,
        () -> !reports.isEmpty() && reports.getLast().getKeptOrDefault("presence", 0) == 0);
    sent.clear();
    keeper.way(2);
    Await.until("the rest", BOUND, () -> !sent.isEmpty());
    assertThat(sequences()).containsExactly(3L);
  }

  @Test
  void record_ofAnotherAgentOrKind_isNotKept() {
    assertThat(keeper.keep("spiffe://f/agent/other", sealed("r1"), acks::add)).isFalse();
    assertThat(
            keeper.keep(
                AGENT,
                sealed("r1").toBuilder().setRecordClass(RecordClass.RECORD_CLASS_LOG).build(),
                acks::add))
        .isFalse();
  }

  @Test
  void batch_ofAnotherAgent_isNotKept() {
    assertThat(keeper.keep("spiffe://f/agent/other", batch(1), acks::add)).isTrue();
    keep(2, 2);
    Await.until("the second", BOUND, () -> keeper.load().stats().lastSequence() > 0);
    assertThat(keeper.load().stats().lastSequence()).isEqualTo(1);
  }

  private SendingPolicy policy(SendingPolicy.Mode mode, long bandwidth, Duration frequency) {
    return new SendingPolicy(
        mode, 0, bandwidth, frequency, directory.resolve("export"), 100_000_000);
  }

  private void keep(long first, long last) {
    int before = acks.size();
    for (long number = first; number <= last; number++) {
      assertThat(keeper.keep(AGENT, batch(number), acks::add)).isTrue();
    }
    Await.until("acknowledgements", BOUND, () -> acks.size() == before + (int) (last - first + 1));
  }

  private static KeptAck ack(SpoolQueue queue, long sequence) {
    return KeptAck.newBuilder().setQueue(queue).setSequence(sequence).build();
  }

  private static SealedRecord sealed(String id) {
    return SealedRecord.newBuilder()
        .setAgent(AGENT)
        .setId(id)
        .setRecordClass(RecordClass.RECORD_CLASS_RESULT)
        .setSealed(ByteString.copyFrom(new byte[1000]))
        .build();
  }

  private static SignedLogBatch batch(long number) {
    return SignedLogBatch.newBuilder()
        .setBatch(
            LogBatch.newBuilder()
                .setAgent(AGENT)
                .setEpoch(1)
                .setFirstSequence(number)
                .addRecords(
                    LogRecord.newBuilder().setMessage("line " + number + " " + ".".repeat(1000)))
                .build()
                .toByteString())
        .build();
  }

  private List<Long> sequences() {
    return sent.stream().map(KeptRecord::getSequence).toList();
  }

  private static List<Long> range(long first, long last) {
    return LongStream.rangeClosed(first, last).boxed().toList();
  }
}
