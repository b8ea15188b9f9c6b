package dev.towline.manager.uplink;

import com.google.common.util.concurrent.MoreExecutors;
import dev.towline.manager.events.Events;
import dev.towline.manager.logs.LogBatches;
import dev.towline.manager.logs.LogBatches.Checked;
import dev.towline.manager.session.KeptRecords;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.KeptAck;
import dev.towline.proto.v1.KeptGap;
import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.SpoolQueue;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes what a proxy kept in its spool: checks who signed it, stores each item once and
 * acknowledges in order.
 *
 * <p>Threading: {@link #take} may be called by any thread; the work runs on an own serial executor.
 * While one batch is committed the next collects; the proxy's window bounds it.
 *
 * <p>Failure: what is forged is recorded and acknowledged, for it will not become better. When the
 * store fails, the lane is given up, and the proxy sends again from the last acknowledgement.
 */
final class KeptIntake {
  private static final Logger log = LoggerFactory.getLogger(KeptIntake.class);

  /** Beyond any window that a proxy of ours uses. */
  private static final int MOST_WAITING = 4096;

  private final String proxy;
  private final Services services;
  private final Executor serial;
  private final Consumer<DownlinkFrame> answers;
  private final Consumer<String> giveUp;
  private final List<KeptRecord> waiting = new ArrayList<>();
  private boolean committing;
  private boolean failed;

  /** What it stands on. */
  record Services(
      Store store,
      LogBatches batches,
      KeptRecords records,
      Events events,
      InstantSource clock,
      Executor executor) {}

  private record Work(Consumer<Tx> work, Runnable after) {
    static final Work NONE = of(_ -> {});

    static Work of(Consumer<Tx> work) {
      return new Work(work, () -> {});
    }
  }

  KeptIntake(
      String proxy, Services services, Consumer<DownlinkFrame> answers, Consumer<String> giveUp) {
    this.proxy = proxy;
    this.services = services;
    this.answers = answers;
    this.giveUp = giveUp;
    this.serial = MoreExecutors.newSequentialExecutor(services.executor());
  }

  void take(KeptRecord record) {
    run(() -> {
      if (waiting.size() >= MOST_WAITING) {
        giveUp.accept("more than " + MOST_WAITING + " records without an acknowledgement");
        failed = true;
        return;
      }
      waiting.add(record);
      commitNext();
    });
  }

  private void run(Runnable task) {
    try {
      serial.execute(() -> {
        try {
          task.run();
        } catch (RuntimeException e) {
          fail(e);
        }
      });
    } catch (RejectedExecutionException e) {
      log.debug("what proxy {} kept came to rest with the manager", proxy);
    }
  }

  private void commitNext() {
    if (committing || failed || waiting.isEmpty()) {
      return;
    }
    committing = true;
    List<Work> works = waiting.stream().map(this::work).toList();
    Map<SpoolQueue, Long> last = new EnumMap<>(SpoolQueue.class);
    waiting.forEach(record -> last.put(record.getQueue(), record.getSequence()));
    waiting.clear();
    var _ =
        services
            .store()
            .write(tx -> {
              works.forEach(one -> one.work().accept(tx));
              return works.size();
            })
            .whenComplete((_, failure) ->
                run(() -> {
                  committing = false;
                  if (failure != null) {
                    fail(failure);
                    return;
                  }
                  works.forEach(one -> one.after().run());
                  last.forEach((queue, sequence) ->
                      answers.accept(
                          DownlinkFrame.newBuilder()
                              .setKeptAck(
                                  KeptAck.newBuilder().setSequence(sequence).setQueue(queue))
                              .build()));
                  commitNext();
                }));
  }

  private void fail(Throwable cause) {
    if (!failed) {
      failed = true;
      log.error("what proxy {} kept could not be stored", proxy, cause);
      giveUp.accept("the manager could not store what was sent");
    }
  }

  private Work work(KeptRecord record) {
    return switch (record.getRecordCase()) {
      case LOG_BATCH ->
          switch (services.batches().check(record.getLogBatch())) {
            case Checked.Forged(String claimed, String why) ->
                forged(LogBatches.FORGED, claimed, why);
            case Checked.Good(String node, var batch) ->
                Work.of(tx -> tx.logs().add(node, batch, services.clock().millis()));
          };
      case SEALED -> checked(services.records().check(record.getSealed()));
      case CHANGE ->
          checked(services.records().change(proxy, record.getSequence(), record.getChange()));
      case GAP -> Work.of(gap(record));
      // Of a later version.
      case RECORD_NOT_SET -> Work.NONE;
    };
  }

  private Work checked(KeptRecords.Checked record) {
    return switch (record) {
      case KeptRecords.Checked.Good(var work, var after) -> new Work(work, after);
      case KeptRecords.Checked.Forged(String code, String claimed, String why) ->
          forged(code, claimed, why);
      case KeptRecords.Checked.Refused(String why) -> {
        log.info("not stored, kept by proxy {}: {}", proxy, why);
        yield Work.NONE;
      }
    };
  }

  private Work forged(String code, String claimed, String why) {
    services
        .events()
        .record(code, claimed.isEmpty() ? proxy : claimed, why + ", kept by proxy " + proxy);
    return Work.NONE;
  }

  private Consumer<Tx> gap(KeptRecord record) {
    KeptGap gap = record.getGap();
    long sequence = record.getSequence();
    SpoolQueue queue = record.getQueue();
    Map<String, Long> lost = new TreeMap<>(gap.getLostMap());
    return tx ->
        tx.events()
            .add(
                services
                    .events()
                    .of(
                        "spool.lost",
                        proxy,
                        "the proxy's spool was full or damaged; lost, by type: " + lost,
                        proxy),
                proxy + "/" + gap.getSpool() + "/" + queue.getNumber() + "/" + sequence);
  }
}
