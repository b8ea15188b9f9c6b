package dev.towline.runtime.identity;

import java.io.IOException;
import java.security.KeyPair;
import java.security.PublicKey;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.crypto.util.PublicKeyFactory;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.DefaultDigestAlgorithmIdentifierFinder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.bc.BcECContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.PKCSException;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/**
 * PKCS#10 requests. They carry a key and the proof that the sender holds it; the name is the
 * issuer's to choose.
 */
public final class CertificateRequests {
  private static final X500Principal ANY_NAME = new X500Principal("CN=towline");

  private CertificateRequests() {}

  /** DER. */
  public static byte[] create(KeyPair pair) {
    try {
      return new JcaPKCS10CertificationRequestBuilder(ANY_NAME, pair.getPublic())
          .build(
              new JcaContentSignerBuilder(
                      pair.getPrivate().getAlgorithm().equals("RSA")
                          ? "SHA256withRSA"
                          : "SHA256withECDSA")
                  .build(pair.getPrivate()))
          .getEncoded();
    } catch (OperatorCreationException | IOException e) {
      throw new IllegalArgumentException("key can't sign a certificate request", e);
    }
  }

  /**
   * The URIs that a request asks to have certified, most often none: the issuer chooses the name,
   * but a request for another's tells something about the sender.
   *
   * @throws IllegalArgumentException when it is malformed
   */
  public static List<String> requestedUris(byte[] der) {
    try {
      Extensions extensions = new PKCS10CertificationRequest(der).getRequestedExtensions();
      GeneralNames names =
          extensions == null
              ? null
              : GeneralNames.fromExtensions(extensions, Extension.subjectAlternativeName);
      return names == null
          ? List.of()
          : Arrays.stream(names.getNames())
              .filter(name -> name.getTagNo() == GeneralName.uniformResourceIdentifier)
              .map(name -> name.getName().toString())
              .toList();
    } catch (IOException | IllegalArgumentException e) {
      throw new IllegalArgumentException("certificate request: not a valid PKCS#10 request", e);
    }
  }

  /**
   * The requested P-256 key, once the request's own signature holds.
   *
   * @throws IllegalArgumentException when it is malformed, of another key type or badly signed
   */
  public static PublicKey verifiedKey(byte[] der) {
    // BouncyCastle's own verifier: several times faster than the platform's for P-256.
    return verified(
        der,
        Keys::parseP256Public,
        (key, info) ->
            new BcECContentVerifierProviderBuilder(new DefaultDigestAlgorithmIdentifierFinder())
                .build(PublicKeyFactory.createKey(info)));
  }

  /**
   * The requested RSA key of 2048 bits or more, once the request's own signature holds.
   *
   * @throws IllegalArgumentException when it is malformed, of another key type or badly signed
   */
  public static PublicKey verifiedRsaKey(byte[] der) {
    return verified(
        der,
        Keys::parseRsaPublic,
        (key, info) -> new JcaContentVerifierProviderBuilder().build(key));
  }

  @FunctionalInterface
  private interface Verifier {
    ContentVerifierProvider of(PublicKey key, SubjectPublicKeyInfo info)
        throws OperatorCreationException, IOException;
  }

  private static PublicKey verified(
      byte[] der, Function<byte[], PublicKey> parser, Verifier verifier) {
    try {
      PKCS10CertificationRequest request = new PKCS10CertificationRequest(der);
      SubjectPublicKeyInfo info = request.getSubjectPublicKeyInfo();
      PublicKey key = parser.apply(info.getEncoded());
      if (!request.isSignatureValid(verifier.of(key, info))) {
        throw new IllegalArgumentException("certificate request: signature does not match its key");
      }
      return key;
    } catch (IOException | OperatorCreationException | PKCSException e) {
      throw new IllegalArgumentException("certificate request: not a valid PKCS#10 request", e);
    }
  }
}
