package dev.towline.runtime.identity;

import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;

/** A program's own key with the chain that certifies it: leaf first, then the issuing CA. */
public record IssuedIdentity(NodeIdentity identity, PrivateKey key, List<X509Certificate> chain) {

  public IssuedIdentity {
    chain = List.copyOf(chain);
    if (chain.isEmpty()) {
      throw new IllegalArgumentException("certificate chain: empty (expected: leaf first)");
    }
  }

  public X509Certificate leaf() {
    return chain.getFirst();
  }

  public Instant expires() {
    return leaf().getNotAfter().toInstant();
  }

  /** When to renew: half of the certificate's life has passed. */
  public Instant halfLife() {
    Instant from = leaf().getNotBefore().toInstant();
    return from.plus(java.time.Duration.between(from, expires()).dividedBy(2));
  }

  @Override
  public String toString() {
    return "IssuedIdentity[" + identity + ", expires " + expires() + "]";
  }
}
