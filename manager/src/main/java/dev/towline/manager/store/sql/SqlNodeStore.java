package dev.towline.manager.store.sql;

import dev.towline.manager.nodes.HostChange;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.NodeQuery;
import dev.towline.manager.nodes.NodeStore;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.nodes.Selector;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.Path;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.Role;
import java.security.cert.X509Certificate;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.Query;
import org.jdbi.v3.core.statement.SqlStatement;

/** {@link NodeStore} over the tables nodes and certificates. */
final class SqlNodeStore implements NodeStore {
  private final Handle handle;

  SqlNodeStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public void create(Node node) {
    handle
        .createUpdate(
            """
            insert into nodes (id, role, name, group_name, region, service_provider, tags,
              proxy_cluster, token, machine_id, facts, enrolled_ms, certificate_expires_ms,
              revoked_ms, revoke_reason, quarantine, presence, last_seen_ms, manager, generation,
              confirmed_generation, boot_id, epoch, last_accepted, path, tls_protocol,
              tls_cipher_suite, directive_sequence, policy, note)
            values (:id, :role, :name, :group, :region, :provider, :tags, :cluster, :token,
              :machine, :facts, :enrolled, :certificateExpires, 0, '', '', :presence, :lastSeen,
              '', 0, 0, '', 0, 0, :path, '', '', 0, :policy, '')
            """)
        .bind("id", node.id())
        .bind("role", node.role().label())
        .bind("name", node.name())
        .bind("group", node.group())
        .bind("region", node.region())
        .bind("provider", node.serviceProvider())
        .bind("tags", Columns.tags(node.tags()))
        .bind("cluster", node.proxyCluster())
        .bind("token", node.token())
        .bind("machine", node.facts().getMachineId())
        .bind("facts", node.facts().toByteArray())
        .bind("enrolled", node.enrolledMs())
        .bind("certificateExpires", node.certificateExpiresMs())
        .bind("presence", node.presence().label())
        .bind("lastSeen", node.lastSeenMs())
        .bind("path", node.path().toByteArray())
        .bind("policy", node.policy())
        .execute();
  }

  @Override
  public Optional<Node> find(String id) {
    return handle
        .createQuery("select * from nodes where id = :id")
        .bind("id", id)
        .map((row, _) -> node(row))
        .findOne();
  }

  @Override
  public List<Node> named(Role role, String name) {
    return handle
        .createQuery("select * from nodes where role = :role and name = :name order by id")
        .bind("role", role.label())
        .bind("name", name)
        .map((row, _) -> node(row))
        .list();
  }

  @Override
  public Optional<Node> enrolledWith(String token, String machineId) {
    return handle
        .createQuery(
            "select * from nodes where token = :token and machine_id = :machine"
                + " order by enrolled_ms desc limit 1")
        .bind("token", token)
        .bind("machine", machineId)
        .map((row, _) -> node(row))
        .findOne();
  }

  @Override
  public List<Node> list(NodeQuery query) {
    StringBuilder sql = new StringBuilder("select * from nodes where role = :role");
    appendConditions(sql, query.selector());
    if (!query.afterId().isEmpty()) {
      sql.append(" and (name, id) > (:afterName, :afterId)");
    }
    sql.append(" order by name, id");
    if (query.limit() > 0) {
      sql.append(" limit :limit");
    }
    Query statement = handle.createQuery(sql.toString()).bind("role", query.role().label());
    bindConditions(statement, query.selector());
    if (!query.afterId().isEmpty()) {
      statement.bind("afterName", query.afterName()).bind("afterId", query.afterId());
    }
    if (query.limit() > 0) {
      statement.bind("limit", query.limit());
    }
    return statement.map((row, _) -> node(row)).list();
  }

  @Override
  public int count(Role role, Selector selector) {
    StringBuilder sql = new StringBuilder("select count(*) from nodes where role = :role");
    appendConditions(sql, selector);
    Query statement = handle.createQuery(sql.toString()).bind("role", role.label());
    bindConditions(statement, selector);
    return statement.mapTo(Integer.class).one();
  }

  @Override
  public void updateFacts(String id, HostFacts facts) {
    handle
        .createUpdate("update nodes set facts = :facts, machine_id = :machine where id = :id")
        .bind("facts", facts.toByteArray())
        .bind("machine", facts.getMachineId())
        .bind("id", id)
        .execute();
  }

  @Override
  public void addCertificate(String id, X509Certificate certificate, long issuedMs) {
    long expires = certificate.getNotAfter().getTime();
    handle
        .createUpdate(
            "insert into certificates (serial, node, der, issued_ms, expires_ms)"
                + " values (:serial, :node, :der, :issued, :expires)")
        .bind("serial", Fingerprints.serial(certificate))
        .bind("node", id)
        .bind("der", Fingerprints.der(certificate))
        .bind("issued", issuedMs)
        .bind("expires", expires)
        .execute();
    handle
        .createUpdate("update nodes set certificate_expires_ms = :expires where id = :id")
        .bind("expires", expires)
        .bind("id", id)
        .execute();
  }

  @Override
  public List<X509Certificate> certificates(String id) {
    return handle
        .createQuery("select der from certificates where node = :node order by issued_ms desc")
        .bind("node", id)
        .map((row, _) -> Certificates.parse(row.getBytes(1)))
        .list();
  }

  @Override
  public void place(String id, HostChange.Place place) {
    handle
        .createUpdate(
            "update nodes set group_name = :group, region = :region, service_provider = :provider,"
                + " tags = :tags where id = :id")
        .bind("group", place.group())
        .bind("region", place.region())
        .bind("provider", place.serviceProvider())
        .bind("tags", Columns.tags(place.tags()))
        .bind("id", id)
        .execute();
  }

  @Override
  public void route(String id, String proxyCluster, String note) {
    handle
        .createUpdate("update nodes set proxy_cluster = :cluster, note = :note where id = :id")
        .bind("cluster", proxyCluster)
        .bind("note", note)
        .bind("id", id)
        .execute();
  }

  @Override
  public void revoke(String id, long revokedMs, String reason) {
    handle
        .createUpdate(
            "update nodes set revoked_ms = :revoked, revoke_reason = :reason,"
                + " proxy_cluster = case when role = 'agent' then '' else proxy_cluster end"
                + " where id = :id and revoked_ms = 0")
        .bind("revoked", revokedMs)
        .bind("reason", reason)
        .bind("id", id)
        .execute();
  }

  @Override
  public List<RevokedNode> revoked() {
    return handle
        .createQuery(
            "select id, role, revoked_ms, revoke_reason from nodes where revoked_ms > 0 order by"
                + " id")
        .map((row, _) ->
            new RevokedNode(
                row.getString("id"),
                role(row),
                row.getLong("revoked_ms"),
                row.getString("revoke_reason")))
        .list();
  }

  @Override
  public void quarantine(String id, String reason) {
    handle
        .createUpdate("update nodes set quarantine = :reason where id = :id")
        .bind("reason", reason)
        .bind("id", id)
        .execute();
  }

  private static void appendConditions(StringBuilder sql, Selector selector) {
    List<Selector.Condition> conditions = selector.conditions();
    for (int i = 0; i < conditions.size(); i++) {
      String value = ":value" + i;
      sql.append(" and ")
          .append(
              switch (conditions.get(i).field()) {
                case NAME -> "name = " + value;
                case ID -> "id = " + value;
                case GROUP -> "group_name = " + value;
                case REGION -> "region = " + value;
                case PROVIDER -> "service_provider = " + value;
                case TAG -> "tags like " + value + " escape '!'";
                case STATE ->
                    "case when presence = 'uninstalled' then 'uninstalled'"
                        + " when revoked_ms > 0 then 'revoked' when quarantine <> ''"
                        + " then 'quarantined' when presence = 'new' then 'enrolled'"
                        + " else presence end = "
                        + value;
                case CLUSTER -> "proxy_cluster = " + value;
                case NODE -> "(name = " + value + " or id = " + value + ")";
              });
    }
  }

  private static void bindConditions(SqlStatement<?> statement, Selector selector) {
    List<Selector.Condition> conditions = new ArrayList<>(selector.conditions());
    for (int i = 0; i < conditions.size(); i++) {
      String value = conditions.get(i).value();
      statement.bind(
          "value" + i,
          switch (conditions.get(i).field()) {
            case TAG -> "%," + escape(value) + ",%";
            case STATE -> value.toLowerCase(Locale.ROOT);
            case NAME, ID, GROUP, REGION, PROVIDER, CLUSTER, NODE -> value;
          });
    }
  }

  private static String escape(String tag) {
    return tag.replace("!", "!!").replace("%", "!%").replace("_", "!_");
  }

  private static Node node(ResultSet row) throws SQLException {
    return new Node(
        row.getString("id"),
        role(row),
        row.getString("name"),
        row.getString("group_name"),
        row.getString("region"),
        row.getString("service_provider"),
        Columns.tags(row.getString("tags")),
        row.getString("proxy_cluster"),
        row.getString("token"),
        Columns.message(row, "facts", HostFacts.parser()),
        row.getLong("enrolled_ms"),
        row.getLong("certificate_expires_ms"),
        row.getLong("revoked_ms"),
        row.getString("quarantine"),
        Presence.ofLabel(row.getString("presence")),
        row.getLong("last_seen_ms"),
        row.getLong("generation"),
        Columns.message(row, "path", Path.parser()),
        row.getString("tls_protocol"),
        row.getString("tls_cipher_suite"),
        row.getString("policy"),
        row.getString("note"));
  }

  private static Role role(ResultSet row) throws SQLException {
    return Role.ofLabel(row.getString("role")).orElseThrow();
  }
}
