package dev.towline.manager.policies;

import com.google.protobuf.ByteString;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** Policies, what hosts have of them, and how both came about. Part of a transaction. */
public interface PolicyStore {
  /** Every policy, and every host with settings of its own. */
  List<Level> levels();

  Optional<Level> find(Level.Kind kind, String name);

  /** Replaces the level and keeps it as that version. */
  void save(Level level);

  /** Takes the level away; its history stays. */
  void delete(Level.Kind kind, String name);

  /** Newest first. */
  List<Level> history(Level.Kind kind, String name);

  /** Gives a host another policy. */
  void assign(String host, String policy);

  /** Agents that are not revoked. */
  List<HostPolicy> hosts();

  Optional<HostPolicy> host(String id);

  /** What the host says that it has; what was noted as sent is there when it is the same. */
  void reported(String host, ByteString fingerprint);

  /** Nothing is on its way any more. */
  void nothingSent(String host);

  /** Highest version that the level ever had; 0 when it never was. */
  long lastVersion(Level.Kind kind, String name);

  /** A directive with this is on its way to these hosts. */
  void sent(Collection<String> hosts, ByteString fingerprint, long nowMs);

  /** How many install commands that can still be used give this policy. */
  int commandsWith(String policy, long nowMs);

  /**
   * @param policy as its install command or an operator said; may be empty or name none
   * @param reported fingerprint of what it has
   * @param sent fingerprint of what is on its way to it; empty when nothing is
   */
  record HostPolicy(
      String id,
      String name,
      String policy,
      boolean online,
      ByteString reported,
      Optional<ByteString> sent,
      long sentMs) {}
}
