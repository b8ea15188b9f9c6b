package dev.towline.manager.store.sql;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.sending.ClusterSending;
import dev.towline.manager.sending.SendingStore;
import dev.towline.proto.v1.ConfigureSending;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** {@link SendingStore} over the table sending_policies. */
final class SqlSendingStore implements SendingStore {
  private final Handle handle;

  SqlSendingStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public Optional<ClusterSending> find(String cluster) {
    return handle
        .createQuery("select * from sending_policies where cluster = :cluster")
        .bind("cluster", cluster)
        .map((row, _) -> policy(row))
        .findOne();
  }

  @Override
  public void put(String cluster, ClusterSending policy) {
    handle
        .createUpdate(
            "insert into sending_policies (cluster, policy, link_capacity)"
                + " values (:cluster, :policy, :capacity) on conflict (cluster)"
                + " do update set policy = :policy, link_capacity = :capacity")
        .bind("cluster", cluster)
        .bind("policy", policy.policy().toByteArray())
        .bind("capacity", policy.linkCapacity())
        .execute();
  }

  private static ClusterSending policy(ResultSet row) throws SQLException {
    try {
      return new ClusterSending(
          ConfigureSending.parseFrom(row.getBytes("policy")), row.getLong("link_capacity"));
    } catch (InvalidProtocolBufferException e) {
      throw new SQLException("a sending policy can't be read", e);
    }
  }
}
