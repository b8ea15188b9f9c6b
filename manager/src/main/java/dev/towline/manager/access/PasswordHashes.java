package dev.towline.manager.access;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.concurrent.Semaphore;
import org.bouncycastle.crypto.generators.Argon2BytesGenerator;
import org.bouncycastle.crypto.params.Argon2Parameters;

/**
 * Argon2id hashes of passwords, written with their parameters so that these can grow later. Safe
 * for use by several threads; two hashes are made at a time, because each takes 19 MiB.
 */
final class PasswordHashes {
  private static final int MEMORY_KIB = 19 * 1024;
  private static final int ITERATIONS = 2;
  private static final int SALT_BYTES = 16;
  private static final int HASH_BYTES = 32;

  private final SecureRandom random;
  private final Semaphore atOnce = new Semaphore(2, true);

  PasswordHashes(SecureRandom random) {
    this.random = random;
  }

  String hash(String password) {
    byte[] salt = new byte[SALT_BYTES];
    random.nextBytes(salt);
    return "argon2id$"
        + MEMORY_KIB
        + "$"
        + ITERATIONS
        + "$"
        + encode(salt)
        + "$"
        + encode(compute(password, salt, MEMORY_KIB, ITERATIONS));
  }

  boolean matches(String password, String stored) {
    String[] parts = stored.split("\\$", -1);
    if (parts.length != 5 || !parts[0].equals("argon2id")) {
      throw new IllegalStateException("password hash of an unknown form");
    }
    byte[] expected = Base64.getDecoder().decode(parts[4]);
    byte[] computed =
        compute(
            password,
            Base64.getDecoder().decode(parts[3]),
            Integer.parseInt(parts[1]),
            Integer.parseInt(parts[2]));
    return MessageDigest.isEqual(expected, computed);
  }

  private byte[] compute(String password, byte[] salt, int memoryKib, int iterations) {
    atOnce.acquireUninterruptibly();
    try {
      var generator = new Argon2BytesGenerator();
      generator.init(
          new Argon2Parameters.Builder(Argon2Parameters.ARGON2_id)
              .withVersion(Argon2Parameters.ARGON2_VERSION_13)
              .withMemoryAsKB(memoryKib)
              .withIterations(iterations)
              .withParallelism(1)
              .withSalt(salt)
              .build());
      byte[] hash = new byte[HASH_BYTES];
      generator.generateBytes(password.getBytes(StandardCharsets.UTF_8), hash);
      return hash;
    } finally {
      atOnce.release();
    }
  }

  private static String encode(byte[] bytes) {
    return Base64.getEncoder().withoutPadding().encodeToString(bytes);
  }
}
