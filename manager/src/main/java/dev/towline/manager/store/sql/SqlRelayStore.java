package dev.towline.manager.store.sql;

import dev.towline.manager.relays.RelayRecord;
import dev.towline.manager.relays.RelayStore;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jdbi.v3.core.Handle;

/** {@link RelayStore} over the tables relays and relay_pairs. */
final class SqlRelayStore implements RelayStore {
  private final Handle handle;

  SqlRelayStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public void save(RelayRecord relay) {
    handle
        .createUpdate(
            """
            insert into relays (id, name, parent, dial_address, downstream_address, session_port,
              public_port, updates_port, created_ms)
            values (:id, :name, :parent, :dial, :downstream, :sessionPort, :publicPort,
              :updatesPort, :created)
            on conflict (id) do update set name = excluded.name, parent = excluded.parent,
              dial_address = excluded.dial_address,
              downstream_address = excluded.downstream_address,
              session_port = excluded.session_port, public_port = excluded.public_port,
              updates_port = excluded.updates_port
            """)
        .bind("id", relay.id())
        .bind("name", relay.name())
        .bind("parent", relay.parent())
        .bind("dial", relay.dialAddress())
        .bind("downstream", relay.downstreamAddress())
        .bind("sessionPort", relay.sessionPort())
        .bind("publicPort", relay.publicPort())
        .bind("updatesPort", relay.updatesPort())
        .bind("created", relay.createdMs())
        .execute();
  }

  @Override
  public Optional<RelayRecord> find(String id) {
    return handle
        .createQuery("select * from relays where id = :id")
        .bind("id", id)
        .map((row, _) -> relay(row))
        .findOne();
  }

  @Override
  public Optional<RelayRecord> named(String name) {
    return handle
        .createQuery("select * from relays where name = :name")
        .bind("name", name)
        .map((row, _) -> relay(row))
        .findOne();
  }

  @Override
  public List<RelayRecord> list() {
    return handle
        .createQuery("select * from relays order by name")
        .map((row, _) -> relay(row))
        .list();
  }

  @Override
  public void pair(String parentId, String childId, byte[] pairingKey) {
    handle
        .createUpdate(
            "insert into relay_pairs (parent, child, pairing_key) values (:parent, :child, :key)"
                + " on conflict (parent, child) do update set pairing_key = excluded.pairing_key")
        .bind("parent", parentId)
        .bind("child", childId)
        .bind("key", pairingKey)
        .execute();
  }

  @Override
  public void unpair(String parentId, String childId) {
    handle
        .createUpdate("delete from relay_pairs where parent = :parent and child = :child")
        .bind("parent", parentId)
        .bind("child", childId)
        .execute();
  }

  @Override
  public void delete(String id) {
    for (String statement :
        List.of(
            "delete from relay_pairs where parent = :id or child = :id",
            "delete from relay_settings where relay = :id",
            "delete from relays where id = :id")) {
      handle.createUpdate(statement).bind("id", id).execute();
    }
  }

  @Override
  public Map<String, String> settings(String id) {
    Map<String, String> settings = new TreeMap<>();
    handle
        .createQuery("select key, value from relay_settings where relay = :id")
        .bind("id", id)
        .map((row, _) -> Map.entry(row.getString("key"), row.getString("value")))
        .forEach(entry -> settings.put(entry.getKey(), entry.getValue()));
    return settings;
  }

  @Override
  public void set(String id, String key, String value) {
    if (value.isEmpty()) {
      handle
          .createUpdate("delete from relay_settings where relay = :id and key = :key")
          .bind("id", id)
          .bind("key", key)
          .execute();
      return;
    }
    handle
        .createUpdate(
            "insert into relay_settings (relay, key, value) values (:id, :key, :value)"
                + " on conflict (relay, key) do update set value = excluded.value")
        .bind("id", id)
        .bind("key", key)
        .bind("value", value)
        .execute();
  }

  @Override
  public List<Pair> pairs() {
    return handle
        .createQuery("select * from relay_pairs order by parent, child")
        .map((row, _) -> pair(row))
        .list();
  }

  @Override
  public List<Pair> pairsOfParent(String parentId) {
    return handle
        .createQuery("select * from relay_pairs where parent = :parent order by child")
        .bind("parent", parentId)
        .map((row, _) -> pair(row))
        .list();
  }

  @Override
  public void forgetPairingKey(String childId) {
    handle
        .createUpdate("update relay_pairs set pairing_key = :none where child = :child")
        .bind("none", new byte[0])
        .bind("child", childId)
        .execute();
  }

  private static Pair pair(ResultSet row) throws SQLException {
    return new Pair(row.getString("parent"), row.getString("child"), row.getBytes("pairing_key"));
  }

  private static RelayRecord relay(ResultSet row) throws SQLException {
    return new RelayRecord(
        row.getString("id"),
        row.getString("name"),
        row.getBoolean("parent"),
        row.getString("dial_address"),
        row.getString("downstream_address"),
        row.getInt("session_port"),
        row.getInt("public_port"),
        row.getInt("updates_port"),
        row.getLong("created_ms"));
  }
}
