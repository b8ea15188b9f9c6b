package dev.towline.runtime.updates;

import dev.towline.runtime.updates.UpdateRefused.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A file that is being fetched: checked while it comes, and gone on with after a break.
 *
 * <p>Lifecycle: {@link #open}, {@link #write} until {@link #offset} is the length, {@link
 * #complete}, {@link #close}. Threading: one thread. Failure: a wrong content is deleted, so that
 * the next source begins anew; anything else leaves what came for the next try.
 */
public final class PartialFile implements AutoCloseable {
  private static final int BUFFER = 64 << 10;

  private final Path file;
  private final long length;
  private final String sha256;
  private final FileChannel channel;
  private final MessageDigest digest;
  private long offset;

  private PartialFile(
      Path file, long length, String sha256, FileChannel channel, MessageDigest digest) {
    this.file = file;
    this.length = length;
    this.sha256 = sha256;
    this.channel = channel;
    this.digest = digest;
  }

  /** Takes what an earlier try left as a beginning. */
  public static PartialFile open(Path file, long length, String sha256) throws IOException {
    FileChannel channel =
        FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      var partial = new PartialFile(file, length, sha256, channel, digest());
      partial.takeWhatIsThere();
      return partial;
    } catch (IOException e) {
      channel.close();
      throw e;
    }
  }

  private void takeWhatIsThere() throws IOException {
    if (channel.size() > length) {
      channel.truncate(0);
    }
    ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
    while (channel.read(buffer) >= 0) {
      offset += buffer.position();
      digest.update(buffer.flip());
      buffer.clear();
    }
  }

  /** How much of it is there. */
  public long offset() {
    return offset;
  }

  public boolean isWhole() {
    return offset == length;
  }

  /** The source sends it from the beginning. */
  public void restart() throws IOException {
    channel.truncate(0);
    digest.reset();
    offset = 0;
  }

  /** What came next. */
  public void write(ByteBuffer bytes) throws IOException, UpdateRefused {
    if (bytes.remaining() > length - offset) {
      delete();
      throw new UpdateRefused(
          Reason.OVERSIZED, "more came than the %d bytes announced".formatted(length));
    }
    digest.update(bytes.duplicate());
    while (bytes.hasRemaining()) {
      offset += channel.write(bytes);
    }
  }

  /** Returns when all of it is on the disk, and is what was signed. */
  public void complete() throws IOException, UpdateRefused {
    if (!isWhole()) {
      throw new UpdateRefused(Reason.TRUNCATED, "%d of %d bytes came".formatted(offset, length));
    }
    if (!HexFormat.of().formatHex(digest.digest()).equals(sha256)) {
      delete();
      throw new UpdateRefused(Reason.TAMPERED, "another content than the signed one");
    }
    channel.force(true);
  }

  private void delete() throws IOException {
    channel.truncate(0);
    Files.deleteIfExists(file);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
