package dev.towline.runtime.identity;

import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;

/** Follows a fleet from a root that is trusted to those that came after it. */
public final class RootSuccession {
  private RootSuccession() {}

  /**
   * The trusted roots and, of the offered ones, every root that follows a trusted one in an
   * unbroken line of signatures. Anything else that is offered is left out.
   *
   * @param trusted oldest first, not empty
   * @param offered oldest first
   */
  public static List<X509Certificate> follow(
      List<X509Certificate> trusted, List<X509Certificate> offered) {
    List<X509Certificate> roots = new ArrayList<>(trusted);
    for (X509Certificate root : offered) {
      if (!roots.contains(root) && isSignedBy(root, roots.getLast())) {
        roots.add(root);
      }
    }
    return List.copyOf(roots);
  }

  private static boolean isSignedBy(X509Certificate certificate, X509Certificate issuer) {
    try {
      certificate.verify(issuer.getPublicKey());
      return certificate.getBasicConstraints() > 0;
    } catch (GeneralSecurityException e) {
      return false;
    }
  }
}
