package dev.towline.manager.enrollment;

import dev.towline.runtime.identity.Role;
import java.time.Duration;
import java.util.List;

/** What somebody asks for; see {@link EnrollmentToken} for the fields. */
public record NewToken(
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
    Duration lifetime,
    int maxUses,
    String createdBy,
    String policy,
    SourceNetworks sourceNetworks) {

  /** For a proxy or relay: one use, nothing else set. */
  public static NewToken infrastructure(
      Role role, String name, String nodeId, String cluster, Duration lifetime, String createdBy) {
    return new NewToken(
        role,
        "linux",
        name,
        nodeId,
        "",
        "",
        "",
        List.of(),
        cluster,
        "",
        false,
        lifetime,
        1,
        createdBy,
        "",
        SourceNetworks.ANY);
  }
}
