package dev.towline.manager.ids;

import java.security.SecureRandom;
import java.util.UUID;

/** New ids that nobody can guess. */
public final class Ids {
  private static final String ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";
  private static final int SHORT_LENGTH = 10;

  private Ids() {}

  /** For people to read and type: ten letters and digits, 50 bits. */
  public static String newShort(SecureRandom random) {
    StringBuilder id = new StringBuilder(SHORT_LENGTH);
    for (int i = 0; i < SHORT_LENGTH; i++) {
      id.append(ALPHABET.charAt(random.nextInt(ALPHABET.length())));
    }
    return id.toString();
  }

  /** A random UUID (version 4). */
  public static String newUuid(SecureRandom random) {
    long high = random.nextLong() & 0xffff_ffff_ffff_0fffL | 0x4000L;
    long low = random.nextLong() & 0x3fff_ffff_ffff_ffffL | 0x8000_0000_0000_0000L;
    return new UUID(high, low).toString();
  }
}
