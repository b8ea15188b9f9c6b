package dev.towline.manager.enrollment;

import dev.towline.runtime.identity.Role;
import java.util.List;

/**
 * What an install command stands for. Times are milliseconds since 1970, 0 when it never happened.
 *
 * @param os empty when any
 * @param name of the node that enrolls; empty when the host's own name is taken
 * @param nodeId the node that this token makes, decided beforehand; empty when a new one
 * @param proxyCluster of an agent: the cluster it connects to; of a proxy: the one it joins
 * @param relay name of the child relay whose downstream address hosts use
 * @param maxUses 0: no limit
 * @param policy name of the one that hosts get; empty when none
 * @param refusals attempts that were refused, {@code lastRefusal} is the code of the latest
 */
public record EnrollmentToken(
    String id,
    Role role,
    String os,
    String name,
    String nodeId,
    String group,
    String region,
    String serviceProvider,
    List<String> tags,
    String proxyCluster,
    String relay,
    boolean imageSystem,
    long createdMs,
    String createdBy,
    long expiresMs,
    int maxUses,
    int uses,
    long revokedMs,
    long lastUsedMs,
    int refusals,
    String lastRefusal,
    String policy,
    SourceNetworks sourceNetworks) {
  public EnrollmentToken {
    tags = List.copyOf(tags);
  }
}
