package dev.towline.runtime.identity;

import com.google.common.cache.Cache;
import com.google.common.cache.CacheBuilder;
import java.io.IOException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.bouncycastle.cert.CertException;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.util.PublicKeyFactory;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.DefaultDigestAlgorithmIdentifierFinder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.bc.BcECContentVerifierProviderBuilder;
import org.jspecify.annotations.Nullable;

/**
 * The one place that decides whether a certificate chain is who it says. A chain is a leaf and the
 * issuing CA that signed it, which one of the fleet's roots signed; what follows leads from a root
 * of earlier times to that one.
 *
 * <p>TLS session resumption bypasses trust managers, so the application asks again at every new
 * transport, and on long streams. Safe for use by several threads.
 */
public final class PeerVerifier {
  /** Nobody makes us check signatures without end. */
  private static final int LONGEST_CHAIN = 18;

  /** How far two clocks may differ before a certificate counts as not yet valid. */
  private static final Duration CLOCK_TOLERANCE = Duration.ofMinutes(5);

  private final Supplier<TrustAnchors> anchors;
  private final Revocations revocations;
  private final InstantSource clock;
  private final Optional<Supplier<Instant>> floor;

  /** Chains whose signatures held, by what they were checked against: dates are asked each time. */
  private final Cache<SignedChain, Boolean> verified =
      CacheBuilder.newBuilder().maximumSize(4096).expireAfterWrite(Duration.ofMinutes(10)).build();

  /**
   * Of issuing CAs that a root was found to have signed, what checks their signatures; there are
   * few, each peer names one, and its key is decoded and its multiples are computed once.
   */
  private final Cache<SignedIssuer, ContentVerifierProvider> issuers =
      CacheBuilder.newBuilder().maximumSize(64).expireAfterWrite(Duration.ofMinutes(10)).build();

  public PeerVerifier(
      Supplier<TrustAnchors> anchors, Revocations revocations, InstantSource clock) {
    this(anchors, revocations, clock, Optional.empty());
  }

  private PeerVerifier(
      Supplier<TrustAnchors> anchors,
      Revocations revocations,
      InstantSource clock,
      Optional<Supplier<Instant>> floor) {
    this.anchors = anchors;
    this.revocations = revocations;
    this.clock = clock;
    this.floor = floor;
  }

  /**
   * For somebody who dials and does not know whether its own clock is right: where only the dates
   * fail, a chain counts that is valid at some time which is not before the floor. Whoever uses it
   * has to compare the time that the peer then says with the dates of its certificate.
   *
   * @param floor a time that has certainly passed
   */
  public PeerVerifier doubtingTheClock(Supplier<Instant> floor) {
    return new PeerVerifier(anchors, revocations, clock, Optional.of(floor));
  }

  /** Checks a chain presented in TLS, of any role. */
  public PeerCheck check(List<X509Certificate> chain) {
    return check(chain, identity -> true);
  }

  /** Checks a chain presented in TLS whose identity has to be an expected one. */
  public PeerCheck check(List<X509Certificate> chain, Predicate<NodeIdentity> expected) {
    return switch (checkChain(chain, instantFor(chain))) {
      case PeerCheck.Refused refused -> refused;
      case PeerCheck.Trusted trusted -> {
        if (!hasPurpose(trusted.leaf(), FleetOids.ofRole(trusted.identity().role()))) {
          yield new PeerCheck.Refused(
              "CERTIFICATE_WRONG_USAGE",
              "certificate of " + trusted.identity() + " is not for the role in its name");
        }
        if (!expected.test(trusted.identity())) {
          yield new PeerCheck.Refused(
              "PEER_UNEXPECTED", "peer is " + trusted.identity() + ", another was expected here");
        }
        yield trusted;
      }
    };
  }

  /** Now; or, in doubt, the earliest time at which the chain may be valid. */
  private Instant instantFor(List<X509Certificate> chain) {
    Instant now = clock.instant();
    if (floor.isEmpty()
        || chain.size() < 2
        || checkDates(chain.get(0), now).or(() -> checkDates(chain.get(1), now)).isEmpty()) {
      return now;
    }
    Instant earliest = floor.get().get();
    for (X509Certificate certificate : chain.subList(0, 2)) {
      Instant from = certificate.getNotBefore().toInstant();
      earliest = from.isAfter(earliest) ? from : earliest;
    }
    return earliest;
  }

  /** Whether a time lies within the life of a certificate. */
  public static boolean isWithinLife(X509Certificate certificate, Instant time) {
    return checkDates(certificate, time).isEmpty();
  }

  /** Checks the chain that travels with a directive or a revocation list. */
  public PeerCheck checkDirectiveSigner(List<X509Certificate> chain, Instant now) {
    return switch (checkChain(chain, now)) {
      case PeerCheck.Refused refused -> refused;
      case PeerCheck.Trusted trusted -> {
        if (trusted.identity().role() != Role.MANAGER
            || !hasPurpose(trusted.leaf(), FleetOids.DIRECTIVE_SIGNING)) {
          yield new PeerCheck.Refused(
              "CERTIFICATE_WRONG_USAGE",
              "certificate of " + trusted.identity() + " is not for signing directives");
        }
        yield trusted;
      }
    };
  }

  /**
   * Checks everything but the dates: for a caller that proves the key of a certificate that has
   * expired.
   */
  public PeerCheck checkIgnoringExpiry(List<X509Certificate> chain) {
    if (chain.isEmpty()) {
      return checkChain(chain, clock.instant());
    }
    return checkChain(chain, chain.getFirst().getNotBefore().toInstant());
  }

  private PeerCheck checkChain(List<X509Certificate> chain, Instant now) {
    if (chain.size() < 2) {
      return new PeerCheck.Refused(
          "CERTIFICATE_CHAIN_INCOMPLETE",
          "chain of " + chain.size() + " certificates (expected: leaf and issuing CA)");
    }
    X509Certificate leaf = chain.get(0);
    X509Certificate issuing = chain.get(1);
    TrustAnchors trusted = anchors.get();
    Optional<PeerCheck> signatures = checkSignatures(chain, trusted);
    if (signatures.isPresent()) {
      return signatures.get();
    }
    if (leaf.getBasicConstraints() >= 0) {
      return new PeerCheck.Refused("CERTIFICATE_WRONG_USAGE", "a CA can't be a peer");
    }
    Optional<PeerCheck> dates = checkDates(leaf, now).or(() -> checkDates(issuing, now));
    if (dates.isPresent()) {
      return dates.get();
    }
    Optional<NodeIdentity> identity = identityOf(leaf);
    if (identity.isEmpty() || !identity.get().fleet().equals(trusted.fleet())) {
      return new PeerCheck.Refused(
          "CERTIFICATE_WRONG_NAME",
          "certificate names "
              + identity.map(NodeIdentity::uri).orElse("nobody")
              + " (expected: a member of fleet "
              + trusted.fleet()
              + ")");
    }
    return checkRevoked(identity.get(), Fingerprints.serial(leaf))
        .orElseGet(() -> new PeerCheck.Trusted(identity.get(), leaf));
  }

  private Optional<PeerCheck> checkSignatures(
      List<X509Certificate> presented, TrustAnchors trusted) {
    X509Certificate leaf = presented.get(0);
    X509Certificate issuing = presented.get(1);
    SignedChain chain = new SignedChain(presented, trusted);
    if (verified.getIfPresent(chain) != null) {
      return Optional.empty();
    }
    // A root that is not known yet may follow from one that is: the peer shows the way to it.
    List<X509Certificate> roots =
        presented.size() > 2 && presented.size() <= LONGEST_CHAIN
            ? RootSuccession.follow(trusted.roots(), presented.subList(2, presented.size()))
            : trusted.roots();
    Optional<ContentVerifierProvider> issuer =
        trustedIssuer(issuing, new TrustAnchors(trusted.fleet(), roots));
    if (issuer.isEmpty()) {
      return Optional.of(
          new PeerCheck.Refused(
              "CERTIFICATE_UNTRUSTED",
              "issuing CA '"
                  + issuing.getSubjectX500Principal()
                  + "' is not signed by a root of fleet "
                  + trusted.fleet()));
    }
    if (issuing.getBasicConstraints() < 0 || !isSignedBy(leaf, issuing, issuer.get())) {
      return Optional.of(
          new PeerCheck.Refused(
              "CERTIFICATE_UNTRUSTED", "certificate is not signed by its issuing CA"));
    }
    verified.put(chain, true);
    return Optional.empty();
  }

  private Optional<ContentVerifierProvider> trustedIssuer(
      X509Certificate issuing, TrustAnchors trusted) {
    SignedIssuer issuer = new SignedIssuer(issuing, trusted);
    ContentVerifierProvider known = issuers.getIfPresent(issuer);
    if (known != null) {
      return Optional.of(known);
    }
    if (trusted.roots().stream()
        .noneMatch(
            root -> verifier(root).filter(by -> isSignedBy(issuing, root, by)).isPresent())) {
      return Optional.empty();
    }
    Optional<ContentVerifierProvider> verifier = verifier(issuing);
    verifier.ifPresent(found -> issuers.put(issuer, found));
    return verifier;
  }

  /**
   * A peer of a long conversation, asked about again and again: its signatures are checked anew
   * only when the trusted roots have changed, dates and revocations each time. Safe for use by
   * several threads.
   */
  public final class Standing {
    private final List<X509Certificate> chain;
    private volatile @Nullable Held held;

    private Standing(List<X509Certificate> chain) {
      this.chain = List.copyOf(chain);
    }

    public PeerCheck check() {
      TrustAnchors trusted = anchors.get();
      Held before = held;
      if (before == null || !before.anchors().equals(trusted)) {
        PeerCheck check = PeerVerifier.this.check(chain);
        if (check instanceof PeerCheck.Trusted(NodeIdentity identity, X509Certificate leaf)) {
          held = new Held(trusted, identity, Fingerprints.serial(leaf));
        }
        return check;
      }
      Instant now = clock.instant();
      X509Certificate leaf = chain.getFirst();
      return checkDates(leaf, now)
          .or(() -> checkDates(chain.get(1), now))
          .or(() -> checkRevoked(before.identity(), before.serial()))
          .orElseGet(() -> new PeerCheck.Trusted(before.identity(), leaf));
    }
  }

  /**
   * @param chain as it was presented in TLS
   */
  public Standing standing(List<X509Certificate> chain) {
    return new Standing(chain);
  }

  private Optional<PeerCheck> checkRevoked(NodeIdentity identity, String serial) {
    return revocations.isRevoked(identity, serial)
        ? Optional.of(
            new PeerCheck.Refused(
                "CERTIFICATE_REVOKED", "certificate of " + identity + " is revoked"))
        : Optional.empty();
  }

  private static Optional<PeerCheck> checkDates(X509Certificate certificate, Instant now) {
    if (now.isAfter(certificate.getNotAfter().toInstant())) {
      return Optional.of(
          new PeerCheck.Refused(
              "CERTIFICATE_EXPIRED",
              "certificate expired at "
                  + certificate.getNotAfter().toInstant()
                  + ", it is "
                  + now));
    }
    if (now.plus(CLOCK_TOLERANCE).isBefore(certificate.getNotBefore().toInstant())) {
      return Optional.of(
          new PeerCheck.Refused(
              "CERTIFICATE_NOT_YET_VALID",
              "certificate is valid from "
                  + certificate.getNotBefore().toInstant()
                  + ", it is "
                  + now));
    }
    return Optional.empty();
  }

  /** The one fleet name in a certificate; empty when there is none or more than one. */
  public static Optional<NodeIdentity> identityOf(X509Certificate leaf) {
    try {
      Collection<List<?>> names = leaf.getSubjectAlternativeNames();
      if (names == null) {
        return Optional.empty();
      }
      List<NodeIdentity> identities =
          names.stream()
              .filter(name -> name.get(0) instanceof Integer type && type == 6)
              .map(name -> NodeIdentity.parse(String.valueOf(name.get(1))))
              .flatMap(Optional::stream)
              .toList();
      return identities.size() == 1 ? Optional.of(identities.getFirst()) : Optional.empty();
    } catch (CertificateParsingException e) {
      return Optional.empty();
    }
  }

  private static boolean hasPurpose(X509Certificate certificate, String oid) {
    try {
      List<String> purposes = certificate.getExtendedKeyUsage();
      return purposes != null && purposes.contains(oid);
    } catch (CertificateParsingException e) {
      return false;
    }
  }

  private static boolean isSignedBy(
      X509Certificate certificate, X509Certificate issuer, ContentVerifierProvider verifier) {
    if (!certificate.getIssuerX500Principal().equals(issuer.getSubjectX500Principal())) {
      return false;
    }
    try {
      return new X509CertificateHolder(Fingerprints.der(certificate)).isSignatureValid(verifier);
    } catch (IOException | CertException e) {
      return false;
    }
  }

  /** BouncyCastle's own: several times faster than the platform's for P-256. Empty: no such key. */
  private static Optional<ContentVerifierProvider> verifier(X509Certificate issuer) {
    try {
      return PublicKeyFactory.createKey(issuer.getPublicKey().getEncoded())
              instanceof ECPublicKeyParameters key
          ? Optional.of(
              new BcECContentVerifierProviderBuilder(new DefaultDigestAlgorithmIdentifierFinder())
                  .build(key))
          : Optional.empty();
    } catch (IOException | OperatorCreationException e) {
      return Optional.empty();
    }
  }

  private record Held(TrustAnchors anchors, NodeIdentity identity, String serial) {}

  private record SignedIssuer(X509Certificate issuing, TrustAnchors anchors) {}

  private record SignedChain(List<X509Certificate> presented, TrustAnchors anchors) {
    SignedChain {
      presented = List.copyOf(presented);
    }
  }
}
