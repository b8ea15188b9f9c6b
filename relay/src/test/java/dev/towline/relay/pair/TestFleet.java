package dev.towline.relay.pair;

import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.TrustAnchors;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A fleet's authority, for tests. */
final class TestFleet {
  static final Clock CLOCK = Clock.systemUTC();
  static final SecureRandom RANDOM = new SecureRandom();

  private final String id;
  private final CertificateAuthority root;
  private final CertificateAuthority issuing;
  private final Set<String> revoked = ConcurrentHashMap.newKeySet();

  TestFleet(String id) {
    this.id = id;
    this.root = CertificateAuthority.newRoot(id, CLOCK, RANDOM);
    this.issuing = root.newIssuing();
  }

  String id() {
    return id;
  }

  X509Certificate root() {
    return root.certificate();
  }

  IssuedIdentity issue(Role role, String name) {
    return issue(role, name, Keys.newP256(RANDOM));
  }

  /** The one that a listener of an older profile holds beside. */
  IssuedIdentity issueRsa(Role role, String name) {
    return issue(role, name, Keys.newRsa(RANDOM));
  }

  private IssuedIdentity issue(Role role, String name, KeyPair key) {
    NodeIdentity identity = new NodeIdentity(id, role, name);
    return new IssuedIdentity(
        identity,
        key.getPrivate(),
        List.of(
            issuing.issueLeaf(identity, key.getPublic(), Duration.ofDays(7)),
            issuing.certificate()));
  }

  PeerVerifier verifier() {
    return new PeerVerifier(
        () -> new TrustAnchors(id, List.of(root.certificate())),
        (identity, serial) -> revoked.contains(identity.uri()),
        CLOCK);
  }

  void revoke(NodeIdentity identity) {
    revoked.add(identity.uri());
  }
}
