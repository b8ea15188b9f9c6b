package dev.towline.manager.enrollment;

import java.util.List;
import java.util.Optional;

/** Enrollment tokens. Part of a transaction. */
public interface TokenStore {
  void create(EnrollmentToken token, byte[] secret);

  Optional<EnrollmentToken> find(String id);

  Optional<byte[]> secret(String id);

  /** Newest first. */
  List<EnrollmentToken> list();

  void revoke(String id, long revokedMs);

  /** Those made for this node. */
  void revokeOf(String nodeId, long revokedMs);

  /** Those that lead to this cluster or make proxies of it. */
  void revokeOfCluster(String cluster, long revokedMs);

  /** Counts one use if the token still allows it at this time. */
  boolean use(String id, long nowMs);

  void refused(String id, String code);
}
