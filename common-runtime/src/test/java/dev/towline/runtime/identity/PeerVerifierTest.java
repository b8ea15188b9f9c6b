package dev.towline.runtime.identity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.towline.testing.Requirement;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

@Requirement("T3")
class PeerVerifierTest {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  private static final NodeIdentity AGENT = new NodeIdentity("f1", Role.AGENT, "a1");

  private final SecureRandom random = new SecureRandom();
  private Instant now = START;
  private final InstantSource clock = () -> now;
  private final CertificateAuthority root = CertificateAuthority.newRoot("f1", clock, random);
  private final CertificateAuthority issuing = root.newIssuing();
  private final PeerVerifier verifier = verifier(Revocations.NONE);
  private final KeyPair pair = Keys.newP256(random);

  @Test
  void check_leafOfTheFleet_isTrustedUnderItsName() {
    PeerCheck check = verifier.check(chain(AGENT));
    assertEquals(AGENT, assertInstanceOf(PeerCheck.Trusted.class, check).identity());
  }

  @Test
  void check_afterExpiry_isRefusedAlsoWhenItsSignatureWasSeenBefore() {
    List<X509Certificate> chain = chain(AGENT);
    verifier.check(chain);
    now = START.plus(Duration.ofDays(31));
    assertRefused("CERTIFICATE_EXPIRED", verifier.check(chain));
    assertInstanceOf(PeerCheck.Trusted.class, verifier.checkIgnoringExpiry(chain));
  }

  @Test
  void check_beforeItsTime_isRefused() {
    List<X509Certificate> chain = chain(AGENT);
    now = START.minus(Duration.ofDays(1));
    assertRefused("CERTIFICATE_NOT_YET_VALID", verifier.check(chain));
  }

  @Test
  void check_revoked_isRefusedAtOnce() {
    List<X509Certificate> chain = chain(AGENT);
    PeerVerifier strict = verifier((identity, serial) -> identity.equals(AGENT));
    assertRefused("CERTIFICATE_REVOKED", strict.check(chain));
  }

  @Test
  void standing_overTime_seesExpiryRevocationAndARootThatIsTrustedNoMore() {
    List<X509Certificate> chain = chain(AGENT);
    var revoked = new AtomicBoolean();
    var anchors = new AtomicReference<>(new TrustAnchors("f1", List.of(root.certificate())));
    PeerVerifier.Standing standing =
        new PeerVerifier(anchors::get, (identity, serial) -> revoked.get(), clock).standing(chain);
    assertInstanceOf(PeerCheck.Trusted.class, standing.check());
    assertEquals(AGENT, assertInstanceOf(PeerCheck.Trusted.class, standing.check()).identity());

    revoked.set(true);
    assertRefused("CERTIFICATE_REVOKED", standing.check());
    revoked.set(false);
    anchors.set(
        new TrustAnchors(
            "f1", List.of(CertificateAuthority.newRoot("f1", clock, random).certificate())));
    assertRefused("CERTIFICATE_UNTRUSTED", standing.check());
    anchors.set(new TrustAnchors("f1", List.of(root.certificate())));
    assertInstanceOf(PeerCheck.Trusted.class, standing.check());
    now = START.plus(Duration.ofDays(31));
    assertRefused("CERTIFICATE_EXPIRED", standing.check());
  }

  @Test
  void check_leafThatSignedAnotherLeaf_isRefused() {
    X509Certificate leaf = chain(AGENT).getFirst();
    CertificateAuthority impostor =
        new CertificateAuthority("f1", leaf, pair.getPrivate(), clock, random);
    NodeIdentity manager = new NodeIdentity("f1", Role.MANAGER, "m1");
    X509Certificate forged = impostor.issueLeaf(manager, pair.getPublic(), Duration.ofDays(1));
    assertRefused("CERTIFICATE_UNTRUSTED", verifier.check(List.of(forged, leaf)));
    assertRefused(
        "CERTIFICATE_UNTRUSTED", verifier.check(List.of(forged, issuing.certificate(), leaf)));
  }

  @Test
  void check_otherFleetUnderTheSameRoot_isRefused() {
    CertificateAuthority other =
        new CertificateAuthority("f2", issuing.certificate(), issuing.key(), clock, random);
    NodeIdentity stranger = new NodeIdentity("f2", Role.AGENT, "a1");
    X509Certificate leaf = other.issueLeaf(stranger, pair.getPublic(), Duration.ofDays(1));
    assertRefused("CERTIFICATE_WRONG_NAME", verifier.check(List.of(leaf, issuing.certificate())));
  }

  @Test
  void checkDirectiveSigner_tlsCertificateOfTheManager_isRefused() {
    NodeIdentity manager = new NodeIdentity("f1", Role.MANAGER, "m1");
    X509Certificate tls = issuing.issueLeaf(manager, pair.getPublic(), Duration.ofDays(1));
    X509Certificate signer =
        issuing.issueDirectiveSigner(
            manager, Signatures.newEd25519Key(random).generatePublicKey(), Duration.ofDays(1));
    assertRefused(
        "CERTIFICATE_WRONG_USAGE",
        verifier.checkDirectiveSigner(List.of(tls, issuing.certificate()), now));
    assertInstanceOf(
        PeerCheck.Trusted.class,
        verifier.checkDirectiveSigner(List.of(signer, issuing.certificate()), now));
    assertRefused(
        "CERTIFICATE_WRONG_USAGE", verifier.check(List.of(signer, issuing.certificate())));
  }

  @Test
  void ed25519Key_ofASignersCertificate_verifiesItsSignatures() {
    var key = Signatures.newEd25519Key(random);
    X509Certificate certificate =
        issuing.issueDirectiveSigner(
            new NodeIdentity("f1", Role.MANAGER, "m1"),
            key.generatePublicKey(),
            Duration.ofDays(1));
    byte[] data = {1, 2, 3};
    byte[] signature = Signatures.signEd25519(key, "towline directive v1", data);
    var certified = Signatures.ed25519Key(certificate.getPublicKey());
    assertEquals(
        true, Signatures.verifyEd25519(certified, "towline directive v1", data, signature));
    assertEquals(
        false, Signatures.verifyEd25519(certified, "towline revocations v1", data, signature));
  }

  private List<X509Certificate> chain(NodeIdentity identity) {
    return List.of(
        issuing.issueLeaf(identity, pair.getPublic(), Duration.ofDays(30)), issuing.certificate());
  }

  private PeerVerifier verifier(Revocations revocations) {
    TrustAnchors anchors = new TrustAnchors("f1", List.of(root.certificate()));
    return new PeerVerifier(() -> anchors, revocations, clock);
  }

  private static void assertRefused(String code, PeerCheck check) {
    assertEquals(code, assertInstanceOf(PeerCheck.Refused.class, check).code());
  }
}
