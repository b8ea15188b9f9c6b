package dev.towline.runtime.identity;

import java.security.cert.X509Certificate;
import java.util.List;

/** The fleet that a program belongs to and the roots it trusts, oldest first. */
public record TrustAnchors(String fleet, List<X509Certificate> roots) {
  public TrustAnchors {
    roots = List.copyOf(roots);
  }
}
