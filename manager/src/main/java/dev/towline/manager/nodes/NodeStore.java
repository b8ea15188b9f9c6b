package dev.towline.manager.nodes;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.identity.Role;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;

/** The members of the fleet. Part of a transaction. */
public interface NodeStore {
  void create(Node node);

  Optional<Node> find(String id);

  /** The nodes of a role with exactly this name. */
  List<Node> named(Role role, String name);

  /** The node that this machine became with this token, if it did. */
  Optional<Node> enrolledWith(String token, String machineId);

  List<Node> list(NodeQuery query);

  int count(Role role, Selector selector);

  /** Takes over what a host that enrolls again says about itself. */
  void updateFacts(String id, HostFacts facts);

  /** Keeps a certificate of a node; the newest is the one that {@link Node} shows. */
  void addCertificate(String id, X509Certificate certificate, long issuedMs);

  /** Every certificate of a node that is kept, newest first. */
  List<X509Certificate> certificates(String id);

  void place(String id, HostChange.Place place);

  /**
   * Which cluster carries a host now, and what is to be known about its route; both may be empty.
   */
  void route(String id, String proxyCluster, String note);

  void revoke(String id, long revokedMs, String reason);

  /** Every revoked node. */
  List<RevokedNode> revoked();

  /** Empty lifts it. */
  void quarantine(String id, String reason);

  record RevokedNode(String id, Role role, long revokedMs, String reason) {}
}
