package dev.towline.manager.sending;

import java.util.Optional;

/** Policies of clusters. Part of a transaction. */
public interface SendingStore {
  Optional<ClusterSending> find(String cluster);

  void put(String cluster, ClusterSending policy);
}
