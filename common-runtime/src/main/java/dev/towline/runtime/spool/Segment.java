package dev.towline.runtime.spool;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * One file of a spool. Its header says which sequence it begins with and how much of each type was
 * ever written before it: from two headers follows what lies between them, so that nothing else has
 * to be kept about a full segment, and a lost one is counted by its neighbours.
 *
 * @param base sequence of its first record
 * @param before everything that was written before it
 */
record Segment(String name, long base, Tally before) {
  static final int HEADER = 8 + Long.BYTES + Tally.BYTES + Integer.BYTES;

  private static final byte[] MAGIC = "TWLSPL01".getBytes(StandardCharsets.US_ASCII);
  private static final String SUFFIX = ".seg";
  private static final int DIGITS = 19;

  static Segment at(long base, Tally before) {
    return new Segment(String.format("%0" + DIGITS + "d", base) + SUFFIX, base, before);
  }

  /** The first sequence that a file of this name begins with; empty when it is no segment. */
  static Optional<Long> baseOf(String name) {
    if (!name.endsWith(SUFFIX) || name.length() != DIGITS + SUFFIX.length()) {
      return Optional.empty();
    }
    try {
      return Optional.of(Long.parseLong(name.substring(0, DIGITS)));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }

  ByteBuffer header() {
    ByteBuffer out = ByteBuffer.allocate(HEADER).put(MAGIC).putLong(base);
    before.write(out);
    return out.putInt(crc(out.array())).flip();
  }

  /** Reads the header of an open file; empty when it is torn or damaged. */
  static Optional<Segment> read(String name, long base, SpoolFiles.SpoolFile file)
      throws IOException {
    ByteBuffer in = ByteBuffer.allocate(HEADER);
    if (file.read(0, in) < HEADER) {
      return Optional.empty();
    }
    in.flip();
    byte[] magic = new byte[MAGIC.length];
    in.get(magic);
    long written = in.getLong();
    Tally before = Tally.read(in);
    boolean whole =
        in.getInt() == crc(in.array()) && written == base && Arrays.equals(magic, MAGIC);
    return whole ? Optional.of(new Segment(name, base, before)) : Optional.empty();
  }

  private static int crc(byte[] header) {
    var crc = new CRC32C();
    crc.update(header, 0, HEADER - Integer.BYTES);
    return (int) crc.getValue();
  }
}
