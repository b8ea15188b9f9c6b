package dev.towline.manager.store.sql;

import dev.towline.manager.proxies.ProxyCluster;
import dev.towline.manager.proxies.ProxyClusterStore;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** {@link ProxyClusterStore} over the table proxy_clusters. */
final class SqlProxyClusterStore implements ProxyClusterStore {
  private final Handle handle;

  SqlProxyClusterStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public void create(ProxyCluster cluster) {
    handle
        .createUpdate(
            "insert into proxy_clusters (name, address, description, port, http_port, created_ms)"
                + " values (:name, :address, :description, :port, :httpPort, :created)")
        .bind("name", cluster.name())
        .bind("address", cluster.address())
        .bind("description", cluster.description())
        .bind("port", cluster.port())
        .bind("httpPort", cluster.httpPort())
        .bind("created", cluster.createdMs())
        .execute();
  }

  @Override
  public Optional<ProxyCluster> find(String name) {
    return handle
        .createQuery("select * from proxy_clusters where name = :name")
        .bind("name", name)
        .map((row, _) -> cluster(row))
        .findOne();
  }

  @Override
  public List<ProxyCluster> list() {
    return handle
        .createQuery("select * from proxy_clusters order by name")
        .map((row, _) -> cluster(row))
        .list();
  }

  @Override
  public void delete(String name) {
    handle
        .createUpdate("delete from proxy_clusters where name = :name")
        .bind("name", name)
        .execute();
  }

  private static ProxyCluster cluster(ResultSet row) throws SQLException {
    return new ProxyCluster(
        row.getString("name"),
        row.getString("address"),
        row.getString("description"),
        row.getInt("port"),
        row.getInt("http_port"),
        row.getLong("created_ms"));
  }
}
