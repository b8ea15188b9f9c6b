package dev.towline.runtime.spool;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Goes through the records of one segment. What is damaged is stepped over to the next whole record
 * of a higher sequence, so that one bad block costs no more than what lies in it.
 */
final class SegmentReader implements AutoCloseable {
  /** length, CRC32C of all that follows and of the length, sequence, type, items. */
  static final int RECORD_HEADER = 4 + 4 + 8 + 1 + 4;

  static final int MAX_PAYLOAD = 4 << 20;

  private static final int CHUNK = 128 << 10;

  private final SpoolFiles.SpoolFile file;
  private final CRC32C crc = new CRC32C();
  private ByteBuffer chunk = ByteBuffer.allocate(0);
  private long chunkStart;
  private long offset = Segment.HEADER;
  private long last;

  /**
   * @param base the first sequence of the segment
   */
  SegmentReader(SpoolFiles.SpoolFile file, long base) {
    this.file = file;
    this.last = base - 1;
  }

  /** Where the next record is looked for. */
  long offset() {
    return offset;
  }

  /** Goes to a place behind the record of this sequence. */
  void seek(long to, long lastSequence) {
    offset = to;
    last = lastSequence;
  }

  /** Forgets what was read ahead: the file has changed. */
  void forget() {
    chunk = ByteBuffer.allocate(0);
  }

  /**
   * The next whole record; null when there is none before the limit.
   *
   * @param limit end of what may be read
   */
  SpoolEntry.@Nullable Kept next(long limit) throws IOException {
    SpoolEntry.Kept record = at(offset, limit);
    if (record == null) {
      long found = resync(limit);
      if (found < 0) {
        return null;
      }
      offset = found;
      record = at(offset, limit);
      if (record == null) {
        return null;
      }
    }
    offset += RECORD_HEADER + record.payload().length;
    last = record.sequence();
    return record;
  }

  /** Looks behind a damaged place for something that is a record beyond doubt. */
  private long resync(long limit) throws IOException {
    for (long position = offset + 1; position + RECORD_HEADER <= limit; position++) {
      if (plausible(position, limit) && at(position, limit) != null) {
        return position;
      }
    }
    return -1;
  }

  private boolean plausible(long position, long limit) throws IOException {
    if (!available(position, RECORD_HEADER, limit)) {
      return false;
    }
    int index = (int) (position - chunkStart);
    int length = chunk.getInt(index);
    long sequence = chunk.getLong(index + 8);
    long most = last + 1 + (limit - offset) / RECORD_HEADER;
    return length >= 0
        && length <= MAX_PAYLOAD
        && position + RECORD_HEADER + length <= limit
        && sequence > last
        && sequence <= most;
  }

  private SpoolEntry.@Nullable Kept at(long position, long limit) throws IOException {
    if (!plausible(position, limit)) {
      return null;
    }
    int length = chunk.getInt((int) (position - chunkStart));
    if (!available(position, RECORD_HEADER + length, limit)) {
      return null;
    }
    int index = (int) (position - chunkStart);
    int stored = chunk.getInt(index + 4);
    crc.reset();
    crc.update(chunk.array(), index, 4);
    crc.update(chunk.array(), index + 8, RECORD_HEADER - 8 + length);
    int type = chunk.get(index + 16);
    if ((int) crc.getValue() != stored || type < 1 || type > Tally.MOST) {
      return null;
    }
    byte[] payload = new byte[length];
    chunk.get(index + RECORD_HEADER, payload);
    return new SpoolEntry.Kept(chunk.getLong(index + 8), type, chunk.getInt(index + 17), payload);
  }

  /** Brings these bytes into the chunk; false when they lie beyond the limit or the file's end. */
  private boolean available(long position, int bytes, long limit) throws IOException {
    if (position + bytes > limit) {
      return false;
    }
    if (position >= chunkStart && position + bytes <= chunkStart + chunk.limit()) {
      return true;
    }
    int want = (int) Math.min(Math.max(bytes, CHUNK), limit - position);
    ByteBuffer next = chunk.capacity() >= want ? chunk.clear() : ByteBuffer.allocate(want);
    next.limit(want);
    int count = file.read(position, next);
    next.position(0).limit(count);
    chunk = next;
    chunkStart = position;
    return count >= bytes;
  }

  @Override
  public void close() {
    file.close();
  }
}
