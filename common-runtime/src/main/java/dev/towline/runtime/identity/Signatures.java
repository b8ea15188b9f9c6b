package dev.towline.runtime.identity;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;
import org.bouncycastle.crypto.params.Ed25519PublicKeyParameters;
import org.bouncycastle.crypto.signers.DSADigestSigner;
import org.bouncycastle.crypto.signers.ECDSASigner;
import org.bouncycastle.crypto.signers.Ed25519Signer;
import org.bouncycastle.crypto.util.PublicKeyFactory;

/**
 * Signatures and keyed hashes over a context and data. The context (for instance {@code "towline
 * result v1"}) and a zero byte come first, so that a signature made for one purpose is worth
 * nothing for another.
 */
public final class Signatures {
  private Signatures() {}

  /** SHA256withECDSA. */
  public static byte[] signP256(PrivateKey key, String context, byte[] data) {
    try {
      Signature signature = Signature.getInstance("SHA256withECDSA");
      signature.initSign(key);
      signature.update(prefix(context));
      signature.update(data);
      return signature.sign();
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("key can't sign with ECDSA", e);
    }
  }

  /**
   * Of SHA256withECDSA; by BouncyCastle's own arithmetic, which takes a quarter of the platform's
   * time: a manager checks thousands.
   */
  public static boolean verifyP256(PublicKey key, String context, byte[] data, byte[] signed) {
    try {
      if (!(PublicKeyFactory.createKey(key.getEncoded()) instanceof ECPublicKeyParameters point)) {
        return false;
      }
      var verifier = new DSADigestSigner(new ECDSASigner(), new SHA256Digest());
      verifier.init(false, point);
      byte[] prefix = prefix(context);
      verifier.update(prefix, 0, prefix.length);
      verifier.update(data, 0, data.length);
      return verifier.verifySignature(signed);
    } catch (IOException | RuntimeException e) {
      return false;
    }
  }

  public static Ed25519PrivateKeyParameters newEd25519Key(SecureRandom random) {
    return new Ed25519PrivateKeyParameters(random);
  }

  public static byte[] signEd25519(Ed25519PrivateKeyParameters key, String context, byte[] data) {
    Ed25519Signer signer = new Ed25519Signer();
    signer.init(true, key);
    update(signer, context, data);
    return signer.generateSignature();
  }

  public static boolean verifyEd25519(
      Ed25519PublicKeyParameters key, String context, byte[] data, byte[] signed) {
    Ed25519Signer signer = new Ed25519Signer();
    signer.init(false, key);
    update(signer, context, data);
    return signer.verifySignature(signed);
  }

  /** The raw key inside a certificate's Ed25519 public key. */
  public static Ed25519PublicKeyParameters ed25519Key(PublicKey certified) {
    byte[] encoded = certified.getEncoded();
    if (!"Ed25519".equals(certified.getAlgorithm()) && !"EdDSA".equals(certified.getAlgorithm())) {
      throw new IllegalArgumentException(
          "key algorithm: " + certified.getAlgorithm() + " (expected: Ed25519)");
    }
    return new Ed25519PublicKeyParameters(
        encoded, encoded.length - Ed25519PublicKeyParameters.KEY_SIZE);
  }

  /** HMAC-SHA256 over the context and the parts, in order. */
  public static byte[] hmacSha256(byte[] key, String context, byte[]... parts) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      mac.update(prefix(context));
      for (byte[] part : parts) {
        mac.update(part);
      }
      return mac.doFinal();
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("key can't be used with HMAC-SHA256", e);
    }
  }

  private static void update(Ed25519Signer signer, String context, byte[] data) {
    byte[] prefix = prefix(context);
    signer.update(prefix, 0, prefix.length);
    signer.update(data, 0, data.length);
  }

  private static byte[] prefix(String context) {
    return (context + "\0").getBytes(StandardCharsets.US_ASCII);
  }
}
