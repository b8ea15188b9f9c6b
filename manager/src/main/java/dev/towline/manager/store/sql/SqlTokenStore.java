package dev.towline.manager.store.sql;

import dev.towline.manager.enrollment.EnrollmentToken;
import dev.towline.manager.enrollment.SourceNetworks;
import dev.towline.manager.enrollment.TokenStore;
import dev.towline.runtime.identity.Role;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** {@link TokenStore} over the table tokens. */
final class SqlTokenStore implements TokenStore {
  private final Handle handle;

  SqlTokenStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public void create(EnrollmentToken token, byte[] secret) {
    handle
        .createUpdate(
            """
            insert into tokens (id, secret, role, os, name, node_id, group_name, region,
              service_provider, tags, proxy_cluster, relay, image_system, created_ms, created_by,
              expires_ms, max_uses, uses, revoked_ms, last_used_ms, refusals, last_refusal, policy,
              source_networks)
            values (:id, :secret, :role, :os, :name, :nodeId, :group, :region, :provider, :tags,
              :cluster, :relay, :imageSystem, :created, :createdBy, :expires, :maxUses, 0, 0, 0,
              0, '', :policy, :networks)
            """)
        .bind("id", token.id())
        .bind("secret", secret)
        .bind("role", token.role().label())
        .bind("os", token.os())
        .bind("name", token.name())
        .bind("nodeId", token.nodeId())
        .bind("group", token.group())
        .bind("region", token.region())
        .bind("provider", token.serviceProvider())
        .bind("tags", Columns.tags(token.tags()))
        .bind("cluster", token.proxyCluster())
        .bind("relay", token.relay())
        .bind("imageSystem", token.imageSystem())
        .bind("created", token.createdMs())
        .bind("createdBy", token.createdBy())
        .bind("expires", token.expiresMs())
        .bind("maxUses", token.maxUses())
        .bind("policy", token.policy())
        .bind("networks", Columns.tags(token.sourceNetworks().blocks()))
        .execute();
  }

  @Override
  public Optional<EnrollmentToken> find(String id) {
    return handle
        .createQuery("select * from tokens where id = :id")
        .bind("id", id)
        .map((row, _) -> token(row))
        .findOne();
  }

  @Override
  public Optional<byte[]> secret(String id) {
    return handle
        .createQuery("select secret from tokens where id = :id")
        .bind("id", id)
        .map((row, _) -> row.getBytes(1))
        .findOne();
  }

  @Override
  public List<EnrollmentToken> list() {
    return handle
        .createQuery("select * from tokens order by created_ms desc, id")
        .map((row, _) -> token(row))
        .list();
  }

  @Override
  public void revoke(String id, long revokedMs) {
    handle
        .createUpdate("update tokens set revoked_ms = :revoked where id = :id and revoked_ms = 0")
        .bind("revoked", revokedMs)
        .bind("id", id)
        .execute();
  }

  @Override
  public void revokeOf(String nodeId, long revokedMs) {
    handle
        .createUpdate(
            "update tokens set revoked_ms = :revoked where node_id = :node and revoked_ms = 0")
        .bind("revoked", revokedMs)
        .bind("node", nodeId)
        .execute();
  }

  @Override
  public void revokeOfCluster(String cluster, long revokedMs) {
    handle
        .createUpdate(
            "update tokens set revoked_ms = :revoked where proxy_cluster = :cluster"
                + " and revoked_ms = 0")
        .bind("revoked", revokedMs)
        .bind("cluster", cluster)
        .execute();
  }

  @Override
  public boolean use(String id, long nowMs) {
    return handle
            .createUpdate(
                "update tokens set uses = uses + 1, last_used_ms = :now where id = :id"
                    + " and revoked_ms = 0 and expires_ms > :now"
                    + " and (max_uses = 0 or uses < max_uses)")
            .bind("now", nowMs)
            .bind("id", id)
            .execute()
        == 1;
  }

  @Override
  public void refused(String id, String code) {
    handle
        .createUpdate(
            "update tokens set refusals = refusals + 1, last_refusal = :code where id = :id")
        .bind("code", code)
        .bind("id", id)
        .execute();
  }

  private static EnrollmentToken token(ResultSet row) throws SQLException {
    return new EnrollmentToken(
        row.getString("id"),
        Role.ofLabel(row.getString("role")).orElseThrow(),
        row.getString("os"),
        row.getString("name"),
        row.getString("node_id"),
        row.getString("group_name"),
        row.getString("region"),
        row.getString("service_provider"),
        Columns.tags(row.getString("tags")),
        row.getString("proxy_cluster"),
        row.getString("relay"),
        row.getBoolean("image_system"),
        row.getLong("created_ms"),
        row.getString("created_by"),
        row.getLong("expires_ms"),
        row.getInt("max_uses"),
        row.getInt("uses"),
        row.getLong("revoked_ms"),
        row.getLong("last_used_ms"),
        row.getInt("refusals"),
        row.getString("last_refusal"),
        row.getString("policy"),
        new SourceNetworks(Columns.tags(row.getString("source_networks"))));
  }
}
