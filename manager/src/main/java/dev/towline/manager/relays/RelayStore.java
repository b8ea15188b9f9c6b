package dev.towline.manager.relays;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Relays and who dials whom. Part of a transaction. */
public interface RelayStore {
  /** Adds a relay, or replaces what was set up for it. */
  void save(RelayRecord relay);

  Optional<RelayRecord> find(String id);

  Optional<RelayRecord> named(String name);

  /** In order of name. */
  List<RelayRecord> list();

  /**
   * @param pairingKey proves a child that holds no certificate yet
   */
  void pair(String parentId, String childId, byte[] pairingKey);

  void unpair(String parentId, String childId);

  /** Removes a relay with its pairs and settings. */
  void delete(String id);

  /** What the manager set for a relay, by key. */
  Map<String, String> settings(String id);

  /**
   * @param value empty to give the key back to the relay
   */
  void set(String id, String key, String value);

  /** Every pair. */
  List<Pair> pairs();

  List<Pair> pairsOfParent(String parentId);

  /** The children of a parent changed, or have to be told again. */
  void forgetPairingKey(String childId);

  /**
   * @param pairingKey empty once the child holds a certificate
   */
  @SuppressWarnings("ArrayRecordComponent")
  record Pair(String parentId, String childId, byte[] pairingKey) {}
}
