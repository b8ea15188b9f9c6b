package dev.towline.manager.proxies;

import java.util.List;
import java.util.Optional;

/** Proxy clusters; their members are nodes. Part of a transaction. */
public interface ProxyClusterStore {
  void create(ProxyCluster cluster);

  Optional<ProxyCluster> find(String name);

  /** In order of name. */
  List<ProxyCluster> list();

  void delete(String name);
}
