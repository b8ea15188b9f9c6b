package dev.towline.manager.directives;

import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SignedResult;
import java.util.List;
import java.util.Optional;

/** The queues of all targets. Part of a transaction. */
public interface DirectiveStore {
  /**
   * Puts a directive at the end of its target's queue; the sequence comes from the target's row.
   */
  default QueuedDirective add(NewDirective directive) {
    return addAll(List.of(directive)).getFirst();
  }

  /** As {@link #add}, for many targets at once, each of them named once; in the same order. */
  List<QueuedDirective> addAll(List<NewDirective> directives);

  Optional<QueuedDirective> find(String id);

  /** In order of sequence. */
  List<QueuedDirective> after(String target, long sequence, int limit);

  /** Marks everything queued up to this sequence as possibly received. */
  void delivered(String target, long upToSequence);

  /** Marks what was delivered up to this sequence as accepted. */
  void accepted(String target, long upToSequence);

  /** Moves a directive on, unless it has ended. */
  boolean advance(String target, long sequence, DirectiveState state, String detail);

  /** Ends a directive without a result from its target, unless it has ended. */
  boolean end(String id, DirectiveState state, Outcome outcome, String detail, long nowMs);

  /**
   * After the target's state went back: what it had accepted and not reported is over. Gives the
   * directives that were ended.
   */
  List<QueuedDirective> interrupt(String target, long upToSequence, String detail, long nowMs);

  /** Directives nobody took up in time. Gives those that were ended. */
  List<QueuedDirective> expire(long queuedBeforeMs, long deliveredBeforeMs, int limit);

  /**
   * Stores a result once.
   *
   * @return false when this record was stored before
   */
  boolean saveResult(String target, DirectiveResult result, SignedResult signed, long nowMs);

  List<QueuedDirective> ofAction(String action);
}
