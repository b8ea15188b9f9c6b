package dev.towline.manager.session;

import java.util.List;

/** Parts of results of which not all have come. Part of a transaction. */
public interface ResultPartStore {
  /** Keeps a part, once. */
  void put(String node, long epoch, long sequence, int number, byte[] content, long nowMs);

  /** Those of a result, in their order. */
  List<byte[]> list(String node, long epoch, long sequence);

  void delete(String node, long epoch, long sequence);

  int count(String node);

  /** Those that came before this, and, of nodes that have more than so many, all. */
  void prune(String node, int most, long beforeMs);
}
