package dev.towline.runtime.spool;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * How far the reader has come, as it stands on disk.
 *
 * @param cursor everything up to here was dealt with
 * @param passed how much of each type that was, whether it was read or lost
 * @param lost how much of it was lost
 */
record SpoolState(long cursor, Tally passed, Tally lost) {
  private static final String NAME = "state";
  private static final byte[] MAGIC = "TWLSTAT1".getBytes(StandardCharsets.US_ASCII);
  private static final int SIZE = MAGIC.length + Long.BYTES + 2 * Tally.BYTES + Integer.BYTES;

  static final SpoolState START = new SpoolState(0, Tally.NONE, Tally.NONE);

  void save(SpoolFiles files) throws IOException {
    ByteBuffer out = ByteBuffer.allocate(SIZE).put(MAGIC).putLong(cursor);
    passed.write(out);
    lost.write(out);
    out.putInt(crc(out.array()));
    files.replace(NAME, out.array());
  }

  /** Empty when there is none or it is damaged. */
  static Optional<SpoolState> load(SpoolFiles files) throws IOException {
    Optional<byte[]> content = files.read(NAME);
    if (content.isEmpty() || content.get().length != SIZE) {
      return Optional.empty();
    }
    ByteBuffer in = ByteBuffer.wrap(content.get());
    byte[] magic = new byte[MAGIC.length];
    in.get(magic);
    SpoolState state = new SpoolState(in.getLong(), Tally.read(in), Tally.read(in));
    boolean whole = in.getInt() == crc(content.get()) && java.util.Arrays.equals(magic, MAGIC);
    return whole ? Optional.of(state) : Optional.empty();
  }

  private static int crc(byte[] content) {
    var crc = new CRC32C();
    crc.update(content, 0, SIZE - Integer.BYTES);
    return (int) crc.getValue();
  }
}
