package dev.towline.relay.child;

import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** Certificate of a child that has none of the fleet yet; its key is proven by the pairing. */
final class SelfSigned {
  private static final Duration LIFE = Duration.ofDays(30);

  private SelfSigned() {}

  static X509Certificate create(KeyPair key, InstantSource clock, SecureRandom random) {
    X500Name name = new X500Name("CN=towline relay (not registered)");
    try {
      var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate());
      byte[] encoded =
          new X509v3CertificateBuilder(
                  name,
                  new BigInteger(127, random).setBit(126),
                  Date.from(clock.instant().minus(Duration.ofDays(1))),
                  Date.from(clock.instant().plus(LIFE)),
                  name,
                  SubjectPublicKeyInfo.getInstance(key.getPublic().getEncoded()))
              .build(signer)
              .getEncoded();
      var factory = java.security.cert.CertificateFactory.getInstance("X.509");
      return (X509Certificate)
          factory.generateCertificate(new java.io.ByteArrayInputStream(encoded));
    } catch (OperatorCreationException | IOException | GeneralSecurityException e) {
      throw new IllegalStateException("self-signed certificate can't be made", e);
    }
  }
}
