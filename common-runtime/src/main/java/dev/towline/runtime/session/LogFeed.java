package dev.towline.runtime.session;

import dev.towline.proto.v1.SignedLogBatch;

/**
 * Where a node's log batches come from. They travel behind everything else, and no more of them is
 * under way than the feed sends without acknowledgement.
 *
 * <p>Threading: called on the session's thread; must return at once.
 */
public interface LogFeed {
  /** There is a way; what was sent over an earlier one and not acknowledged is sent again. */
  void open(Sink sink);

  /** The way is gone. */
  void closed();

  /** The batch that ends with this record is on a disk of the manager's, or of the proxy's. */
  void acknowledged(long epoch, long lastSequence);

  /** Whether nothing is waiting, under way or about to be; may be asked by any thread. */
  default boolean isCaughtUp() {
    return true;
  }

  /** The node's state went back to an earlier one: what follows is numbered in a new epoch. */
  void rolledBack();

  /** Takes batches; thread-safe. What it takes after the way is gone is lost. */
  interface Sink {
    void send(SignedLogBatch batch);
  }
}
