package dev.towline.manager.enrollment;

import dev.towline.runtime.identity.NodeIdentity;
import java.security.cert.X509Certificate;
import java.util.List;

/** What an attempt to become, or stay, a member came to. */
public sealed interface EnrollmentVerdict {

  record Issued(NodeIdentity identity, List<X509Certificate> chain) implements EnrollmentVerdict {}

  /**
   * @param code stable, for instance {@code TOKEN_EXPIRED}
   */
  record Refused(String code, String message, String remedy, boolean retryable)
      implements EnrollmentVerdict {}
}
