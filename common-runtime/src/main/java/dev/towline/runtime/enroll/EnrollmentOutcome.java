package dev.towline.runtime.enroll;

import dev.towline.runtime.identity.IssuedIdentity;
import java.security.cert.X509Certificate;
import java.util.List;

/** What an attempt to become or stay a member of the fleet came to. */
public sealed interface EnrollmentOutcome {

  /** A member; the identity is on the disk. */
  record Issued(IssuedIdentity identity, List<X509Certificate> roots)
      implements EnrollmentOutcome {}

  /** The manager said no. With {@code retryable} the same attempt may work later. */
  record Refused(String code, String message, String remedy, boolean retryable)
      implements EnrollmentOutcome {
    /** One line for people. */
    public String line() {
      String text = code + ": " + message;
      return remedy.isEmpty() ? text : text + "; " + remedy;
    }
  }

  /** What answered isn't the fleet that the caller knows: wrong root, wrong name, wrong key. */
  record Untrusted(String detail) implements EnrollmentOutcome {}

  /** No server answered. */
  record Unreachable(String detail) implements EnrollmentOutcome {}
}
