package dev.towline.runtime.identity;

import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import org.bouncycastle.asn1.edec.EdECObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.crypto.params.Ed25519PublicKeyParameters;

/** Key pairs of a fleet: P-256 for everything that speaks TLS, RSA beside it for older suites. */
public final class Keys {
  /** As strong as P-256. */
  private static final int RSA_BITS = 3072;

  private static final int LEAST_RSA_BITS = 2048;
  private static final int MOST_RSA_BITS = 4096;

  private Keys() {}

  public static KeyPair newP256(SecureRandom random) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"), random);
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has P-256", e);
    }
  }

  /** For a listener's certificate that peers of older suites understand; takes a moment. */
  public static KeyPair newRsa(SecureRandom random) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
      generator.initialize(RSA_BITS, random);
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has RSA", e);
    }
  }

  static PrivateKey parseRsaPrivate(byte[] pkcs8) {
    try {
      return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("not a PKCS#8 encoded RSA key", e);
    }
  }

  static PublicKey parseRsaPublic(byte[] subjectPublicKeyInfo) {
    try {
      PublicKey key =
          KeyFactory.getInstance("RSA")
              .generatePublic(new X509EncodedKeySpec(subjectPublicKeyInfo));
      int bits = ((RSAPublicKey) key).getModulus().bitLength();
      if (bits < LEAST_RSA_BITS || bits > MOST_RSA_BITS) {
        throw new IllegalArgumentException(
            "RSA key of %d bits (expected: %d to %d)"
                .formatted(bits, LEAST_RSA_BITS, MOST_RSA_BITS));
      }
      return key;
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("not an encoded RSA public key", e);
    }
  }

  /**
   * @throws IllegalArgumentException when the bytes are no PKCS#8 EC key
   */
  public static PrivateKey parseP256Private(byte[] pkcs8) {
    try {
      return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("not a PKCS#8 encoded P-256 key", e);
    }
  }

  /**
   * @throws IllegalArgumentException when the bytes are no EC public key
   */
  public static PublicKey parseP256Public(byte[] subjectPublicKeyInfo) {
    try {
      return KeyFactory.getInstance("EC")
          .generatePublic(new X509EncodedKeySpec(subjectPublicKeyInfo));
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("not an encoded P-256 public key", e);
    }
  }

  static SubjectPublicKeyInfo publicKeyInfo(Ed25519PublicKeyParameters key) {
    return new SubjectPublicKeyInfo(
        new AlgorithmIdentifier(EdECObjectIdentifiers.id_Ed25519), key.getEncoded());
  }
}
