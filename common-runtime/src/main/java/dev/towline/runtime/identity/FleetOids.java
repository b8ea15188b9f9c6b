package dev.towline.runtime.identity;

import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.x509.KeyPurposeId;

/** Extended key usages of a fleet's own: a certificate serves one role, or signs directives. */
public final class FleetOids {
  private static final ASN1ObjectIdentifier BASE =
      new ASN1ObjectIdentifier("1.3.6.1.4.1.59999.1.1");

  /** The key signs directives and revocation lists and nothing else. */
  public static final KeyPurposeId DIRECTIVE_SIGNING = purpose("1");

  private FleetOids() {}

  public static KeyPurposeId ofRole(Role role) {
    return switch (role) {
      case MANAGER -> purpose("10");
      case AGENT -> purpose("11");
      case PROXY -> purpose("12");
      case RELAY -> purpose("13");
    };
  }

  private static KeyPurposeId purpose(String arc) {
    return KeyPurposeId.getInstance(BASE.branch(arc));
  }
}
