package dev.towline.cli.login;

import java.security.cert.X509Certificate;
import java.util.List;

/**
 * One manager, the roots it is trusted by and the token that it gave out.
 *
 * @param expiresMs when the token ends, 0 when unknown
 */
public record StoredLogin(
    String url,
    String user,
    String token,
    long expiresMs,
    String fleet,
    List<X509Certificate> roots) {
  public StoredLogin {
    roots = List.copyOf(roots);
  }

  public StoredLogin withToken(String other) {
    return new StoredLogin(url, user, other, 0, fleet, roots);
  }

  public boolean isFor(String otherUrl) {
    return ManagerAddress.parse(otherUrl).equals(ManagerAddress.parse(url));
  }

  /** Without the token. */
  @Override
  public String toString() {
    return "StoredLogin[" + user + " at " + url + "]";
  }
}
