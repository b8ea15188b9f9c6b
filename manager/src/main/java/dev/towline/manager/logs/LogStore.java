package dev.towline.manager.logs;

import dev.towline.proto.v1.LogBatch;
import java.util.List;

/** What hosts reported. Part of a transaction. */
public interface LogStore {
  /**
   * Adds what of a batch was never added before.
   *
   * @return how many records that is
   */
  int add(String node, LogBatch batch, long nowMs);

  List<StoredLog> list(LogQuery query);

  /**
   * Removes what came before a time, and the oldest beyond a number, at most so many.
   *
   * @return how many were removed
   */
  int prune(long receivedBeforeMs, long most, int limit);
}
