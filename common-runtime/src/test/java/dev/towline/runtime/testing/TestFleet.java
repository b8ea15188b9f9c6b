package dev.towline.runtime.testing;

import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.identity.TrustAnchors;
import java.security.KeyPair;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;

/** A fleet's CA for tests: issues identities and directive keys, revokes them. */
public final class TestFleet {
  public static final String NAME = "fleet-1";

  private final SecureRandom random = new SecureRandom();
  private final Set<String> revoked = ConcurrentHashMap.newKeySet();
  private final InstantSource clock;
  private final CertificateAuthority root;
  private final CertificateAuthority issuing;

  public TestFleet(InstantSource clock) {
    this.clock = clock;
    this.root = CertificateAuthority.newRoot(NAME, clock, random);
    this.issuing = root.newIssuing();
  }

  public IssuedIdentity issue(Role role, String id) {
    return issue(role, id, Duration.ofDays(1));
  }

  public IssuedIdentity issue(Role role, String id, Duration validity) {
    KeyPair pair = Keys.newP256(random);
    var identity = new NodeIdentity(NAME, role, id);
    return new IssuedIdentity(
        identity, pair.getPrivate(), certify(identity, pair.getPublic(), validity));
  }

  /** The RSA certificate that a listener of an older profile holds beside its other one. */
  public IssuedIdentity issueRsa(Role role, String id) {
    KeyPair pair = Keys.newRsa(random);
    var identity = new NodeIdentity(NAME, role, id);
    return new IssuedIdentity(
        identity, pair.getPrivate(), certify(identity, pair.getPublic(), Duration.ofDays(1)));
  }

  public List<X509Certificate> certify(NodeIdentity identity, PublicKey key, Duration validity) {
    return List.of(issuing.issueLeaf(identity, key, validity), issuing.certificate());
  }

  /** A manager's key for directives and the chain that travels with them. */
  public DirectiveSigner directiveSigner(String managerId) {
    Ed25519PrivateKeyParameters key = Signatures.newEd25519Key(random);
    X509Certificate leaf =
        issuing.issueDirectiveSigner(
            new NodeIdentity(NAME, Role.MANAGER, managerId),
            key.generatePublicKey(),
            Duration.ofDays(1));
    return new DirectiveSigner(key, List.of(leaf, issuing.certificate()));
  }

  public record DirectiveSigner(Ed25519PrivateKeyParameters key, List<X509Certificate> chain) {}

  public void revoke(String id) {
    revoked.add(id);
  }

  public PeerVerifier verifier() {
    TrustAnchors anchors = anchors();
    Revocations revocations = (identity, serial) -> revoked.contains(identity.id());
    return new PeerVerifier(() -> anchors, revocations, clock);
  }

  public TrustAnchors anchors() {
    return new TrustAnchors(NAME, roots());
  }

  public List<X509Certificate> roots() {
    return List.of(root.certificate());
  }

  public SecureRandom random() {
    return random;
  }
}
