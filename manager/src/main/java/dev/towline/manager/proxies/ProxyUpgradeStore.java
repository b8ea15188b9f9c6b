package dev.towline.manager.proxies;

import dev.towline.proto.v1.ProxyUpgradeRoll;
import java.util.List;
import java.util.Optional;

/** The last upgrade of each cluster. Part of a transaction. */
public interface ProxyUpgradeStore {
  Optional<ProxyUpgradeRoll> find(String cluster);

  /** Those that have not ended. */
  List<ProxyUpgradeRoll> underWay();

  void put(ProxyUpgradeRoll roll);
}
