package dev.towline.runtime.identity;

import java.security.cert.X509Certificate;

/** What checking a peer's certificate chain came to. */
public sealed interface PeerCheck {

  record Trusted(NodeIdentity identity, X509Certificate leaf) implements PeerCheck {}

  /**
   * @param code stable, for instance {@code CERTIFICATE_EXPIRED}
   * @param detail what was found and what was expected
   */
  record Refused(String code, String detail) implements PeerCheck {}
}
