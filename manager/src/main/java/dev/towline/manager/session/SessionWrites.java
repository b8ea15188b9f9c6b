package dev.towline.manager.session;

import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one session wants stored, in order: while one batch is being committed, the next collects.
 * Belongs to the session's serial executor, as does everything it calls back.
 *
 * <p>Failure: nothing is written, and no follow-up runs, once the store knows a newer session; a
 * batch that fails is logged and its follow-ups don't run, so that the peer sends it again.
 */
final class SessionWrites {
  private static final Logger log = LoggerFactory.getLogger(SessionWrites.class);
  private static final int BACKLOG = 128;

  private final Store store;
  private final String node;
  private final Executor serial;
  private final Runnable flushed;
  private final List<Write> waiting = new ArrayList<>();
  private boolean committing;
  private long generation;

  SessionWrites(Store store, String node, Executor serial, Runnable flushed) {
    this.store = store;
    this.node = node;
    this.serial = serial;
    this.flushed = flushed;
  }

  private record Write(Consumer<Tx> work, Runnable after) {}

  void begin(long ofGeneration) {
    generation = ofGeneration;
  }

  /** So much waits that the peer should not send more for now. */
  boolean isBacklogged() {
    return waiting.size() > BACKLOG;
  }

  /**
   * @param after runs when it is on disk
   */
  void add(Consumer<Tx> work, Runnable after) {
    waiting.add(new Write(work, after));
    commitNext();
  }

  private void commitNext() {
    if (committing || waiting.isEmpty()) {
      return;
    }
    committing = true;
    List<Write> batch = List.copyOf(waiting);
    waiting.clear();
    var _ =
        store
            .write(tx -> {
              boolean current = generation == 0 || tx.sessions().isCurrent(node, generation);
              if (current) {
                batch.forEach(write -> write.work().accept(tx));
              }
              return current;
            })
            .whenComplete((current, failure) ->
                serial.execute(() -> {
                  committing = false;
                  if (failure != null) {
                    log.error("writes of {} failed", node, failure);
                  } else if (current) {
                    batch.forEach(write -> write.after().run());
                  }
                  commitNext();
                  flushed.run();
                }));
  }
}
