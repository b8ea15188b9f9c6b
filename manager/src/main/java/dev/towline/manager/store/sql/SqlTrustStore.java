package dev.towline.manager.store.sql;

import dev.towline.manager.fleet.TrustStore;
import dev.towline.runtime.identity.Role;
import java.util.List;
import org.jdbi.v3.core.Handle;

/** {@link TrustStore} over the tables node_trust and revoked_certificates. */
final class SqlTrustStore implements TrustStore {
  private final Handle handle;

  SqlTrustStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public void trusts(String node, List<String> roots, long nowMs) {
    handle
        .createUpdate(
            """
            insert into node_trust (node, roots, issuer, reported_ms)
              select id, :roots, '', :now from nodes where id = :node
              on conflict (node) do update set roots = :roots, reported_ms = :now
            """)
        .bind("node", node)
        .bind("roots", String.join(" ", roots))
        .bind("now", nowMs)
        .execute();
  }

  @Override
  public void presented(String node, List<String> roots, String issuer, long nowMs) {
    handle
        .createUpdate(
            """
            insert into node_trust (node, roots, issuer, reported_ms)
              select id, :roots, :issuer, :now from nodes where id = :node
              on conflict (node) do update
                set roots = :roots, issuer = :issuer, reported_ms = :now
            """)
        .bind("node", node)
        .bind("roots", String.join(" ", roots))
        .bind("issuer", issuer)
        .bind("now", nowMs)
        .execute();
  }

  @Override
  public List<MemberTrust> members() {
    return handle
        .createQuery(
            "select n.id, n.role, n.name, n.last_seen_ms, t.roots, t.issuer from nodes n"
                + " left join node_trust t on t.node = n.id"
                + " where n.revoked_ms = 0 order by n.name, n.id")
        .map((row, _) -> {
          String roots = row.getString("roots");
          String issuer = row.getString("issuer");
          return new MemberTrust(
              row.getString("id"),
              Role.ofLabel(row.getString("role")).orElseThrow(),
              row.getString("name"),
              row.getLong("last_seen_ms"),
              roots == null || roots.isEmpty() ? List.of() : List.of(roots.split(" ")),
              issuer == null ? "" : issuer);
        })
        .list();
  }

  @Override
  public void revokeCertificate(RevokedCertificate certificate) {
    handle
        .createUpdate(
            "insert into revoked_certificates (serial, identity, revoked_ms, expires_ms, reason)"
                + " values (:serial, :identity, :revoked, :expires, :reason)"
                + " on conflict (serial) do nothing")
        .bind("serial", certificate.serial())
        .bind("identity", certificate.identity())
        .bind("revoked", certificate.revokedMs())
        .bind("expires", certificate.expiresMs())
        .bind("reason", certificate.reason())
        .execute();
  }

  @Override
  public List<RevokedCertificate> revokedCertificates(long nowMs) {
    return handle
        .createQuery("select * from revoked_certificates where expires_ms >= :now order by serial")
        .bind("now", nowMs)
        .map((row, _) ->
            new RevokedCertificate(
                row.getString("serial"),
                row.getString("identity"),
                row.getLong("revoked_ms"),
                row.getLong("expires_ms"),
                row.getString("reason")))
        .list();
  }
}
