package dev.towline.runtime.updates;

import dev.towline.runtime.identity.Pems;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;
import org.bouncycastle.crypto.util.PrivateKeyFactory;

/** A key that signs metadata. */
public final class UpdateSigner {
  private final PrivateKey key;
  private final UpdateKey publicKey;

  private UpdateSigner(PrivateKey key, UpdateKey publicKey) {
    this.key = key;
    this.publicKey = publicKey;
  }

  /** A new Ed25519 key. */
  public static UpdateSigner create(SecureRandom random) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("Ed25519");
      generator.initialize(java.security.spec.NamedParameterSpec.ED25519, random);
      return of(generator.generateKeyPair());
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has Ed25519", e);
    }
  }

  /**
   * @throws IllegalArgumentException when it is neither Ed25519 nor EC over P-256
   */
  public static UpdateSigner of(KeyPair pair) {
    return new UpdateSigner(pair.getPrivate(), UpdateKey.of(pair.getPublic()));
  }

  /** Only its owner may read the file. */
  public void save(Path file) throws IOException {
    Pems.writePrivateKey(file, key);
  }

  /** An Ed25519 key that {@link #save} wrote. */
  public static UpdateSigner load(Path file) throws IOException {
    byte[] encoded = Pems.readDer(file);
    try {
      KeyFactory factory = KeyFactory.getInstance("Ed25519");
      PrivateKey key = factory.generatePrivate(new PKCS8EncodedKeySpec(encoded));
      if (!(PrivateKeyFactory.createKey(encoded) instanceof Ed25519PrivateKeyParameters raw)) {
        throw new IOException(file + ": no Ed25519 key");
      }
      byte[] info =
          org.bouncycastle.crypto.util.SubjectPublicKeyInfoFactory.createSubjectPublicKeyInfo(
                  raw.generatePublicKey())
              .getEncoded();
      PublicKey publicKey = factory.generatePublic(new java.security.spec.X509EncodedKeySpec(info));
      return of(new KeyPair(publicKey, key));
    } catch (GeneralSecurityException e) {
      throw new IOException(file + ": no Ed25519 key", e);
    }
  }

  public UpdateKey publicKey() {
    return publicKey;
  }

  byte[] sign(byte[] data) {
    try {
      Signature signature =
          Signature.getInstance(key.getAlgorithm().equals("EC") ? "SHA256withECDSA" : "Ed25519");
      signature.initSign(key);
      signature.update(data);
      return signature.sign();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("metadata can't be signed", e);
    }
  }
}
