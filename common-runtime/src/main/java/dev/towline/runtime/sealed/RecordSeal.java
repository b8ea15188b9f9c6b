package dev.towline.runtime.sealed;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.SealedRecord;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Optional;
import org.bouncycastle.crypto.AsymmetricCipherKeyPair;
import org.bouncycastle.crypto.InvalidCipherTextException;
import org.bouncycastle.crypto.hpke.HPKE;
import org.bouncycastle.crypto.params.X25519PrivateKeyParameters;
import org.bouncycastle.crypto.params.X25519PublicKeyParameters;

/**
 * Seals what passes a proxy's disk so that only the manager can read it: HPKE in base mode (RFC
 * 9180). Who sealed it is not proven by this; what is inside is signed.
 */
public final class RecordSeal {
  /** Of the raw keys, private and public. */
  public static final int KEY_LENGTH = 32;

  private static final byte[] INFO = "towline record v1".getBytes(StandardCharsets.US_ASCII);

  private RecordSeal() {}

  /** A new private key. */
  public static byte[] newKey(SecureRandom random) {
    return new X25519PrivateKeyParameters(random).getEncoded();
  }

  public static byte[] publicKey(byte[] privateKey) {
    return new X25519PrivateKeyParameters(privateKey).generatePublicKey().getEncoded();
  }

  /**
   * @param id names it in the acknowledgement
   * @throws IllegalArgumentException when the key is none
   */
  public static SealedRecord seal(
      byte[] publicKey, String agent, RecordClass kind, String id, byte[] content) {
    if (publicKey.length != KEY_LENGTH) {
      throw new IllegalArgumentException(
          "key of %d bytes (expected: %d)".formatted(publicKey.length, KEY_LENGTH));
    }
    try {
      byte[][] sealed =
          hpke()
              .seal(
                  new X25519PublicKeyParameters(publicKey),
                  INFO,
                  besides(agent, kind),
                  content,
                  null,
                  null,
                  null);
      return SealedRecord.newBuilder()
          .setAgent(agent)
          .setRecordClass(kind)
          .setId(id)
          .setSealed(ByteString.copyFrom(sealed[0]))
          .setEncapsulatedKey(ByteString.copyFrom(sealed[1]))
          .build();
    } catch (InvalidCipherTextException e) {
      throw new IllegalStateException("failed to seal a record", e);
    }
  }

  /** What is inside; empty when it was not sealed to this key, or changed since. */
  public static Optional<byte[]> open(byte[] privateKey, SealedRecord record) {
    if (record.getEncapsulatedKey().size() != KEY_LENGTH) {
      return Optional.empty();
    }
    var key = new X25519PrivateKeyParameters(privateKey);
    try {
      return Optional.of(
          hpke()
              .open(
                  record.getEncapsulatedKey().toByteArray(),
                  new AsymmetricCipherKeyPair(key.generatePublicKey(), key),
                  INFO,
                  besides(record.getAgent(), record.getRecordClass()),
                  record.getSealed().toByteArray(),
                  null,
                  null,
                  null));
    } catch (InvalidCipherTextException | RuntimeException e) {
      // A point that is none is an unchecked exception of the library's.
      return Optional.empty();
    }
  }

  private static HPKE hpke() {
    return new HPKE(
        HPKE.mode_base, HPKE.kem_X25519_SHA256, HPKE.kdf_HKDF_SHA256, HPKE.aead_AES_GCM128);
  }

  private static byte[] besides(String agent, RecordClass kind) {
    return (agent + "\0" + (kind == RecordClass.UNRECOGNIZED ? -1 : kind.getNumber()))
        .getBytes(StandardCharsets.UTF_8);
  }
}
