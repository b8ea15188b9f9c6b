package dev.towline.runtime.session;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.state.v1.JournalRecord;
import dev.towline.runtime.identity.DurableFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * A small append-only file of records, each with length and CRC32C. What a crash left half written
 * at the end is cut off at the next start.
 *
 * <p>Lifecycle: {@link #open}, {@link #read} once, then appends, each followed at some point by
 * {@link #sync}, until {@link #close}. Threading: not thread-safe. Failure: an I/O error leaves the
 * file as the disk has it; the owner must stop using it.
 */
final class RecordLog implements AutoCloseable {
  private static final byte[] MAGIC = "towline journal 1\n".getBytes(StandardCharsets.US_ASCII);
  private static final int HEADER = 8;
  private static final int MAX_RECORD = 64 << 20;

  private final Path file;
  private FileChannel channel;
  private long size;
  private boolean dirty;

  private RecordLog(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  static RecordLog open(Path file) throws IOException {
    if (!Files.exists(file) || Files.size(file) < MAGIC.length) {
      DurableFiles.replace(file, MAGIC);
    }
    return new RecordLog(file, channel(file));
  }

  /** Every whole record in order; positions the log behind the last of them. */
  List<JournalRecord> read() throws IOException {
    byte[] content = Files.readAllBytes(file);
    if (!startsWithMagic(content)) {
      throw new IOException(file + ": no session journal of a known version");
    }
    List<JournalRecord> records = new ArrayList<>();
    ByteBuffer in = ByteBuffer.wrap(content, MAGIC.length, content.length - MAGIC.length);
    int end = in.position();
    while (in.remaining() >= HEADER) {
      int length = in.getInt();
      int crc = in.getInt();
      if (length < 0 || length > in.remaining()) {
        break;
      }
      byte[] body = new byte[length];
      in.get(body);
      if (crc(body) != crc) {
        break;
      }
      try {
        records.add(JournalRecord.parseFrom(body));
      } catch (InvalidProtocolBufferException e) {
        break;
      }
      end = in.position();
    }
    if (end < content.length) {
      channel.truncate(end);
      channel.force(true);
    }
    channel.position(end);
    size = end;
    return records;
  }

  /** Writes a record; it is durable after the next {@link #sync}. */
  void append(JournalRecord record) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(framed(record));
    size += buffer.remaining();
    dirty = true;
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  /** Returns when everything appended is on the disk; nothing to do costs nothing. */
  void sync() throws IOException {
    if (dirty) {
      channel.force(false);
      dirty = false;
    }
  }

  /** Replaces the whole content, durable on return. */
  void rewrite(List<JournalRecord> records) throws IOException {
    var content = new ByteArrayOutputStream();
    content.writeBytes(MAGIC);
    records.forEach(record -> content.writeBytes(framed(record)));
    channel.close();
    DurableFiles.replace(file, content.toByteArray());
    channel = channel(file);
    size = content.size();
    channel.position(size);
    dirty = false;
  }

  long size() {
    return size;
  }

  @Override
  public void close() {
    try {
      sync();
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException("failed to close " + file, e);
    }
  }

  private static FileChannel channel(Path file) throws IOException {
    return FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
  }

  private static byte[] framed(JournalRecord record) {
    byte[] body = record.toByteArray();
    if (body.length > MAX_RECORD) {
      throw new IllegalArgumentException(
          "record of %d bytes (expected: at most %d)".formatted(body.length, MAX_RECORD));
    }
    return ByteBuffer.allocate(HEADER + body.length)
        .putInt(body.length)
        .putInt(crc(body))
        .put(body)
        .array();
  }

  private static int crc(byte[] body) {
    var crc = new CRC32C();
    crc.update(body);
    return (int) crc.getValue();
  }

  private static boolean startsWithMagic(byte[] content) {
    for (int i = 0; i < MAGIC.length; i++) {
      if (i >= content.length || content[i] != MAGIC[i]) {
        return false;
      }
    }
    return true;
  }
}
