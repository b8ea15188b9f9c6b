package dev.towline.manager.store.sql;

import dev.towline.manager.relays.RelayRecord;
import dev.towline.manager.relays.RelayStore;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
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
              public_port, created_ms)
            values (:id, :name, :parent, :dial, :downstream, :sessionPort, :publicPort, :created)
            on conflict (id) do update set name = excluded.name, parent = excluded.parent,
              dial_address = excluded.dial_address,
              downstream_address = excluded.downstream_address,
              session_port = excluded.session_port, public_port = excluded.public_port
            """)
        .bind("id", relay.id())
        .bind("name", relay.name())
        .bind("parent", relay.parent())
        .bind("dial", relay.dialAddress())
        .bind("downstream", relay.downstreamAddress())
        .bind("sessionPort", relay.sessionPort())
        .bind("publicPort", relay.publicPort())
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
        row.getLong("created_ms"));
  }
}
