package dev.towline.manager.store.sql;

import com.google.protobuf.ByteString;
import dev.towline.manager.policies.Level;
import dev.towline.manager.policies.PolicyStore;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jdbi.v3.core.Handle;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@link PolicyStore} over the tables policy_levels, policy_versions and nodes. */
final class SqlPolicyStore implements PolicyStore {
  private static final JsonMapper JSON = JsonMapper.builder().build();
  private static final String NONE = "none";
  private static final String HOSTS =
      "select id, name, policy, presence, policy_fingerprint, policy_sent, policy_sent_ms"
          + " from nodes where role = 'agent' and revoked_ms = 0";
  private static final String COLUMNS =
      " (kind, name, parent, description, settings, version, changed_ms, author, change)"
          + " values (:kind, :name, :parent, :description, :settings, :version, :changed, :author,"
          + " :change)";

  private final Handle handle;

  SqlPolicyStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public List<Level> levels() {
    return handle.createQuery("select * from policy_levels").map((row, _) -> level(row)).list();
  }

  @Override
  public Optional<Level> find(Level.Kind kind, String name) {
    return handle
        .createQuery("select * from policy_levels where kind = :kind and name = :name")
        .bind("kind", kind.label())
        .bind("name", name)
        .map((row, _) -> level(row))
        .findOne();
  }

  @Override
  public void save(Level level) {
    delete(level.kind(), level.name());
    for (String table : List.of("policy_levels", "policy_versions")) {
      handle
          .createUpdate("insert into " + table + COLUMNS)
          .bind("kind", level.kind().label())
          .bind("name", level.name())
          .bind("parent", level.parent())
          .bind("description", level.description())
          .bind("settings", json(level.settings()))
          .bind("version", level.version())
          .bind("changed", level.changedMs())
          .bind("author", level.author())
          .bind("change", level.change())
          .execute();
    }
  }

  @Override
  public void delete(Level.Kind kind, String name) {
    handle
        .createUpdate("delete from policy_levels where kind = :kind and name = :name")
        .bind("kind", kind.label())
        .bind("name", name)
        .execute();
  }

  @Override
  public List<Level> history(Level.Kind kind, String name) {
    return handle
        .createQuery(
            "select * from policy_versions where kind = :kind and name = :name"
                + " order by version desc")
        .bind("kind", kind.label())
        .bind("name", name)
        .map((row, _) -> level(row))
        .list();
  }

  @Override
  public long lastVersion(Level.Kind kind, String name) {
    return handle
        .createQuery(
            "select coalesce(max(version), 0) from policy_versions"
                + " where kind = :kind and name = :name")
        .bind("kind", kind.label())
        .bind("name", name)
        .mapTo(Long.class)
        .one();
  }

  @Override
  public void assign(String host, String policy) {
    handle
        .createUpdate("update nodes set policy = :policy where id = :id")
        .bind("policy", policy)
        .bind("id", host)
        .execute();
  }

  @Override
  public List<HostPolicy> hosts() {
    return handle.createQuery(HOSTS + " order by name, id").map((row, _) -> host(row)).list();
  }

  @Override
  public Optional<HostPolicy> host(String id) {
    return handle
        .createQuery(HOSTS + " and id = :id")
        .bind("id", id)
        .map((row, _) -> host(row))
        .findOne();
  }

  @Override
  public void reported(String host, ByteString fingerprint) {
    handle
        .createUpdate(
            "update nodes set policy_fingerprint = :fingerprint,"
                + " policy_sent = case when policy_sent = :fingerprint then '' else policy_sent end"
                + " where id = :id")
        .bind("fingerprint", text(fingerprint))
        .bind("id", host)
        .execute();
  }

  @Override
  public void nothingSent(String host) {
    handle
        .createUpdate("update nodes set policy_sent = '' where id = :id and policy_sent <> ''")
        .bind("id", host)
        .execute();
  }

  @Override
  public void sent(Collection<String> hosts, ByteString fingerprint, long nowMs) {
    Columns.inGroups(
        hosts,
        ids ->
            handle
                .createUpdate(
                    "update nodes set policy_sent = :fingerprint, policy_sent_ms = :now"
                        + " where id in (<ids>)")
                .bind("fingerprint", text(fingerprint))
                .bind("now", nowMs)
                .bindList("ids", ids)
                .execute());
  }

  @Override
  public int commandsWith(String policy, long nowMs) {
    return handle
        .createQuery(
            "select count(*) from tokens where policy = :policy and revoked_ms = 0"
                + " and expires_ms > :now and (max_uses = 0 or uses < max_uses)")
        .bind("policy", policy)
        .bind("now", nowMs)
        .mapTo(Integer.class)
        .one();
  }

  private static HostPolicy host(ResultSet row) throws SQLException {
    String sent = row.getString("policy_sent");
    return new HostPolicy(
        row.getString("id"),
        row.getString("name"),
        row.getString("policy"),
        row.getString("presence").equals("online"),
        fingerprint(row.getString("policy_fingerprint")),
        sent.isEmpty() ? Optional.empty() : Optional.of(fingerprint(sent)),
        row.getLong("policy_sent_ms"));
  }

  private static Level level(ResultSet row) throws SQLException {
    var settings = new TreeMap<String, String>();
    JSON.readTree(row.getString("settings"))
        .properties()
        .forEach(entry -> settings.put(entry.getKey(), entry.getValue().asString()));
    return new Level(
        Level.Kind.valueOf(row.getString("kind").toUpperCase(Locale.ROOT)),
        row.getString("name"),
        row.getString("parent"),
        row.getString("description"),
        settings,
        row.getLong("version"),
        row.getLong("changed_ms"),
        row.getString("author"),
        row.getString("change"));
  }

  private static String json(Map<String, String> settings) {
    ObjectNode node = JSON.createObjectNode();
    settings.forEach(node::put);
    return node.toString();
  }

  private static String text(ByteString fingerprint) {
    return fingerprint.isEmpty() ? NONE : HexFormat.of().formatHex(fingerprint.toByteArray());
  }

  private static ByteString fingerprint(String text) {
    return text.equals(NONE)
        ? ByteString.EMPTY
        : ByteString.copyFrom(HexFormat.of().parseHex(text));
  }
}
