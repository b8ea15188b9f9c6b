package dev.towline.agent.actions;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import java.time.InstantSource;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Runs the actions that were accepted, several side by side, each at most once: its start is on the
 * disk before the program is.
 *
 * <p>Lifecycle: {@link #stop} ends what runs. Threading: called on the session's thread; each
 * action has a thread of its own, and waits there for one of the lanes. Failure: every accepted
 * action ends in exactly one result.
 */
public final class ActionHandler implements DirectiveHandler {
  private static final int MAX_WAITING = 256;

  private final ActionRunner runner;
  private final InstantSource clock;
  private final ThreadFactory threads;
  private final Semaphore lanes;
  private final Map<Long, ActionRunner.Running> running = new ConcurrentHashMap<>();
  private final Set<Thread> workers = ConcurrentHashMap.newKeySet();
  private final AtomicLong ended = new AtomicLong();

  /**
   * @param concurrent how many actions run at the same time
   */
  public ActionHandler(
      ActionRunner runner, InstantSource clock, ThreadFactory threads, int concurrent) {
    this.runner = runner;
    this.clock = clock;
    this.threads = threads;
    this.lanes = new Semaphore(concurrent, true);
  }

  /** Actions that run or wait for a lane. */
  public long active() {
    return running.size();
  }

  /** Actions that have ended since the program started. */
  public long ended() {
    return ended.get();
  }

  @Override
  public boolean handles(DirectiveKind kind) {
    return kind == DirectiveKind.DIRECTIVE_KIND_RUN_ACTION
        || kind == DirectiveKind.DIRECTIVE_KIND_CANCEL_ACTION;
  }

  @Override
  public void accepted(AcceptedDirective directive, Progress progress) {
    if (directive.kind() == DirectiveKind.DIRECTIVE_KIND_CANCEL_ACTION) {
      cancel(directive, progress);
      return;
    }
    if (running.size() >= MAX_WAITING) {
      progress.finished(
          DirectiveEnd.of(
              Outcome.OUTCOME_FAILED,
              clock.instant(),
              "%d actions wait already (expected: fewer than %d)"
                  .formatted(running.size(), MAX_WAITING)));
      return;
    }
    ActionRunner.Running action =
        runner.prepare(
            directive.content().getRunAction(),
            (offset, data) -> progress.output(offset, ByteString.copyFrom(data)));
    running.put(directive.sequence(), action);
    Thread worker = threads.newThread(() -> work(directive.sequence(), action, progress));
    workers.add(worker);
    worker.start();
  }

  /** Ends everything that runs, and waits a little for its results to be on the way. */
  public void stop() throws InterruptedException {
    workers.forEach(Thread::interrupt);
    for (Thread worker : Set.copyOf(workers)) {
      worker.join(TimeUnit.SECONDS.toMillis(2));
    }
  }

  private void cancel(AcceptedDirective directive, Progress progress) {
    long sequence = directive.content().getCancelAction().getSequence();
    ActionRunner.Running action = running.get(sequence);
    if (action == null) {
      progress.finished(
          DirectiveEnd.of(
              Outcome.OUTCOME_FAILED,
              clock.instant(),
              "action %d is not running".formatted(sequence)));
      return;
    }
    action.cancel();
    progress.finished(DirectiveEnd.of(Outcome.OUTCOME_SUCCEEDED, clock.instant(), ""));
  }

  private void work(long sequence, ActionRunner.Running action, Progress progress) {
    try {
      lanes.acquire();
      try {
        progress.started();
        ActionEnd end = action.run();
        // The interrupt has ended the program; it must not keep the result from the journal.
        boolean stopped = Thread.interrupted();
        progress.finished(
            new DirectiveEnd(
                end.outcome(),
                end.exitStatus(),
                ByteString.copyFrom(end.output()),
                end.outputTruncated(),
                end.started(),
                end.finished(),
                end.detail()));
        if (stopped) {
          Thread.currentThread().interrupt();
        }
      } finally {
        lanes.release();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      progress.finished(
          DirectiveEnd.of(
              Outcome.OUTCOME_INTERRUPTED, clock.instant(), "the agent stopped before it ran"));
    } finally {
      running.remove(sequence);
      ended.incrementAndGet();
      workers.remove(Thread.currentThread());
    }
  }
}
