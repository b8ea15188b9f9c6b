package dev.towline.runtime.identity;

import java.io.IOException;
import java.math.BigInteger;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.crypto.params.Ed25519PublicKeyParameters;
import org.bouncycastle.crypto.util.PrivateKeyFactory;
import org.bouncycastle.operator.DefaultSignatureAlgorithmIdentifierFinder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.bc.BcECContentSignerBuilder;
import org.jspecify.annotations.Nullable;

/**
 * A key that signs certificates: a fleet's root, or the issuing CA under it. The root signs issuing
 * CAs only, so that its key can be taken offline.
 *
 * <p>Safe for use by several threads.
 */
public final class CertificateAuthority {
  /** Certificates start this much in the past, so that a slightly slow clock accepts them. */
  public static final Duration BACKDATE = Duration.ofMinutes(5);

  private static final Duration ROOT_VALIDITY = Duration.ofDays(3650);
  private static final Duration ISSUING_VALIDITY = Duration.ofDays(365);

  private final String fleet;
  private final X509Certificate certificate;
  private final PrivateKey key;
  private final InstantSource clock;
  private final SecureRandom random;

  public CertificateAuthority(
      String fleet,
      X509Certificate certificate,
      PrivateKey key,
      InstantSource clock,
      SecureRandom random) {
    this.fleet = fleet;
    this.certificate = certificate;
    this.key = key;
    this.clock = clock;
    this.random = random;
  }

  /** A new self-signed root for a fleet. */
  public static CertificateAuthority newRoot(
      String fleet, InstantSource clock, SecureRandom random) {
    KeyPair pair = Keys.newP256(random);
    X500Name name = new X500Name("CN=Towline root of " + fleet);
    X509v3CertificateBuilder builder =
        builder(name, name, info(pair.getPublic()), ROOT_VALIDITY, clock.instant(), random);
    authorityExtensions(builder, 1);
    X509Certificate root = sign(builder, pair.getPrivate());
    return new CertificateAuthority(fleet, root, pair.getPrivate(), clock, random);
  }

  /**
   * A new root with its own key, signed by this one, so that whoever trusts this one can follow.
   *
   * @param number tells it from the fleet's other roots, 2 or more
   */
  public CertificateAuthority newSuccessor(int number) {
    KeyPair pair = Keys.newP256(random);
    X509v3CertificateBuilder builder =
        builder(
            subject(certificate),
            new X500Name("CN=Towline root " + number + " of " + fleet),
            info(pair.getPublic()),
            ROOT_VALIDITY,
            clock.instant(),
            random);
    authorityExtensions(builder, 1);
    return new CertificateAuthority(fleet, sign(builder, key), pair.getPrivate(), clock, random);
  }

  /** A new issuing CA with its own key, signed by this root. */
  public CertificateAuthority newIssuing() {
    KeyPair pair = Keys.newP256(random);
    X509v3CertificateBuilder builder =
        builder(
            subject(certificate),
            // Of its root's number, so that the chains of two roots are told apart.
            new X500Name(
                subject(certificate).toString().replace("Towline root", "Towline issuing CA")),
            info(pair.getPublic()),
            ISSUING_VALIDITY,
            clock.instant(),
            random);
    authorityExtensions(builder, 0);
    return new CertificateAuthority(fleet, sign(builder, key), pair.getPrivate(), clock, random);
  }

  /** A certificate for a program's TLS key, never beyond the life of this CA. */
  public X509Certificate issueLeaf(NodeIdentity identity, PublicKey subject, Duration validity) {
    return issue(
        identity,
        info(subject),
        validity,
        new KeyPurposeId[] {
          KeyPurposeId.id_kp_serverAuth,
          KeyPurposeId.id_kp_clientAuth,
          purpose(FleetOids.ofRole(identity.role()))
        },
        List.of());
  }

  /** A manager's TLS certificate that browsers and HTTP clients accept under these host names. */
  public X509Certificate issueServer(
      NodeIdentity identity, PublicKey subject, Duration validity, List<String> hostNames) {
    return issue(
        identity,
        info(subject),
        validity,
        new KeyPurposeId[] {
          KeyPurposeId.id_kp_serverAuth,
          KeyPurposeId.id_kp_clientAuth,
          purpose(FleetOids.ofRole(identity.role()))
        },
        hostNames);
  }

  /** A certificate for a manager's key that signs directives and revocation lists. */
  public X509Certificate issueDirectiveSigner(
      NodeIdentity manager, Ed25519PublicKeyParameters subject, Duration validity) {
    return issue(
        manager,
        Keys.publicKeyInfo(subject),
        validity,
        new KeyPurposeId[] {purpose(FleetOids.DIRECTIVE_SIGNING)},
        List.of());
  }

  public X509Certificate certificate() {
    return certificate;
  }

  /** For the one who stores it; never leaves the manager. */
  public PrivateKey key() {
    return key;
  }

  public String fleet() {
    return fleet;
  }

  private X509Certificate issue(
      NodeIdentity identity,
      SubjectPublicKeyInfo subject,
      Duration validity,
      KeyPurposeId[] purposes,
      List<String> hostNames) {
    if (!identity.fleet().equals(fleet)) {
      throw new IllegalArgumentException(
          "identity: " + identity + " (expected: one of fleet " + fleet + ")");
    }
    X509v3CertificateBuilder builder =
        builder(
            subject(certificate),
            new X500Name("CN=" + identity.role().label() + " " + identity.id()),
            subject,
            validity,
            clock.instant(),
            random);
    if (clock.instant().plus(validity).isAfter(certificate.getNotAfter().toInstant())) {
      throw new IllegalStateException(
          "issuing CA ends "
              + certificate.getNotAfter()
              + ", before the certificate it shall sign");
    }
    try {
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
      builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
      builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(purposes));
      builder.addExtension(
          Extension.subjectAlternativeName, false, alternativeNames(identity, hostNames));
    } catch (CertIOException e) {
      throw new IllegalStateException("certificate extension can't be encoded", e);
    }
    return sign(builder, key);
  }

  private static KeyPurposeId purpose(String oid) {
    return KeyPurposeId.getInstance(new ASN1ObjectIdentifier(oid));
  }

  private static GeneralNames alternativeNames(NodeIdentity identity, List<String> hostNames) {
    GeneralName[] names = new GeneralName[hostNames.size() + 1];
    names[0] = new GeneralName(GeneralName.uniformResourceIdentifier, identity.uri());
    for (int i = 0; i < hostNames.size(); i++) {
      String host = hostNames.get(i);
      boolean address = host.indexOf(':') >= 0 || host.matches("[0-9.]+");
      names[i + 1] = new GeneralName(address ? GeneralName.iPAddress : GeneralName.dNSName, host);
    }
    return new GeneralNames(names);
  }

  private static void authorityExtensions(X509v3CertificateBuilder builder, int pathLength) {
    try {
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(pathLength));
      builder.addExtension(
          Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
    } catch (CertIOException e) {
      throw new IllegalStateException("certificate extension can't be encoded", e);
    }
  }

  private static X509v3CertificateBuilder builder(
      X500Name issuer,
      X500Name subject,
      SubjectPublicKeyInfo key,
      Duration validity,
      Instant now,
      SecureRandom random) {
    return new X509v3CertificateBuilder(
        issuer,
        new BigInteger(127, random).setBit(126),
        Date.from(now.minus(BACKDATE)),
        Date.from(now.plus(validity)),
        subject,
        key);
  }

  private static X509Certificate sign(X509v3CertificateBuilder builder, PrivateKey key) {
    try {
      // BouncyCastle's own signer: twice as fast as the platform's for P-256.
      var signer =
          new BcECContentSignerBuilder(
                  new DefaultSignatureAlgorithmIdentifierFinder().find("SHA256withECDSA"),
                  new AlgorithmIdentifier(NISTObjectIdentifiers.id_sha256))
              .build(PrivateKeyFactory.createKey(key.getEncoded()));
      return Certificates.parse(builder.build(signer).getEncoded());
    } catch (OperatorCreationException | IOException e) {
      throw new IllegalStateException("certificate can't be signed", e);
    }
  }

  private static X500Name subject(X509Certificate certificate) {
    return X500Name.getInstance(certificate.getSubjectX500Principal().getEncoded());
  }

  private static SubjectPublicKeyInfo info(@Nullable PublicKey key) {
    if (key == null) {
      throw new IllegalArgumentException("public key: missing");
    }
    return SubjectPublicKeyInfo.getInstance(key.getEncoded());
  }
}
