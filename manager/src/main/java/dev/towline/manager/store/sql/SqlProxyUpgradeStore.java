package dev.towline.manager.store.sql;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.proxies.ProxyUpgradeStore;
import dev.towline.proto.v1.ProxyUpgradeRoll;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** {@link ProxyUpgradeStore} over the table proxy_upgrades. */
final class SqlProxyUpgradeStore implements ProxyUpgradeStore {
  private final Handle handle;

  SqlProxyUpgradeStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public Optional<ProxyUpgradeRoll> find(String cluster) {
    return handle
        .createQuery("select roll from proxy_upgrades where cluster = :cluster")
        .bind("cluster", cluster)
        .map((row, _) -> roll(row))
        .findOne();
  }

  @Override
  public List<ProxyUpgradeRoll> underWay() {
    return handle
        .createQuery("select roll from proxy_upgrades where ended = false order by cluster")
        .map((row, _) -> roll(row))
        .list();
  }

  @Override
  public void put(ProxyUpgradeRoll roll) {
    handle
        .createUpdate(
            "insert into proxy_upgrades (cluster, roll, ended) values (:cluster, :roll, :ended)"
                + " on conflict (cluster) do update set roll = :roll, ended = :ended")
        .bind("cluster", roll.getCluster())
        .bind("roll", roll.toByteArray())
        .bind("ended", roll.getEnded())
        .execute();
  }

  private static ProxyUpgradeRoll roll(ResultSet row) throws SQLException {
    try {
      return ProxyUpgradeRoll.parseFrom(row.getBytes("roll"));
    } catch (InvalidProtocolBufferException e) {
      throw new SQLException("an upgrade of proxies can't be read", e);
    }
  }
}
