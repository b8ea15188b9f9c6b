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
   * @param trusted not empty
   * @param offered in any order
   */
  public static List<X509Certificate> follow(
      List<X509Certificate> trusted, List<X509Certificate> offered) {
    List<X509Certificate> roots = new ArrayList<>(trusted);
    List<X509Certificate> left = new ArrayList<>(offered);
    left.removeAll(trusted);
    while (left.removeIf(
        root -> !roots.contains(root) && follows(root, roots) && roots.add(root))) {
      // Each round may reach what the one before could not.
    }
    return List.copyOf(roots);
  }

  private static boolean follows(X509Certificate root, List<X509Certificate> known) {
    return known.stream().anyMatch(trusted -> isSignedBy(root, trusted));
  }

  /**
   * What is to be trusted from now on, when a manager says which roots there are: those of the
   * offered ones that are trusted already or follow from them. The others that were trusted are
   * forgotten; when none of the offered ones can be reached, nothing changes.
   *
   * @param retired roots of earlier times that lead to the offered ones, oldest first
   * @param offered oldest first
   */
  public static List<X509Certificate> replace(
      List<X509Certificate> trusted, List<X509Certificate> retired, List<X509Certificate> offered) {
    List<X509Certificate> reached = new ArrayList<>(follow(follow(trusted, retired), offered));
    reached.retainAll(offered);
    return reached.isEmpty() ? List.copyOf(trusted) : List.copyOf(reached);
  }

  private static boolean isSignedBy(X509Certificate certificate, X509Certificate issuer) {
    if (!certificate.getIssuerX500Principal().equals(issuer.getSubjectX500Principal())
        || certificate.getBasicConstraints() <= 0) {
      return false;
    }
    try {
      certificate.verify(issuer.getPublicKey());
      return true;
    } catch (GeneralSecurityException e) {
      return false;
    }
  }
}
