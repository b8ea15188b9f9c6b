package dev.towline.manager.alerts;

import java.util.List;
import java.util.Optional;

/** Alerts and their history. Part of a transaction. */
public interface AlertStore {
  Optional<Alert> find(long id);

  /** The open alert of this kind about this subject; the empty subject is the open summary. */
  Optional<Alert> open(AlertKind kind, String subject);

  /** Open alerts of single hosts of this kind that no summary stands for, raised since then. */
  List<Alert> single(AlertKind kind, long sinceMs);

  /** How many open alerts a summary stands for. */
  int membersOf(long summary);

  /** Gives its id. */
  long raise(Alert alert);

  /** Raised again, or in other words. */
  void update(long id, String message, long times, long nowMs);

  /** From now on a summary stands for it. */
  void join(long id, long summary);

  /** False when it was cleared before. */
  boolean clear(long id, long nowMs, String by);

  /** Clears what a summary stands for. */
  void clearMembers(long summary, long nowMs, String by);

  /**
   * Newest first.
   *
   * @param all also those that are cleared
   * @param members also those that a summary stands for
   * @param beforeId 0 to start at the newest
   */
  List<Alert> list(boolean all, boolean members, String subject, long beforeId, int limit);

  /** Those of hosts that are open, or were cleared by hand while the host was still the same. */
  List<Alert> standing();
}
