package dev.towline.runtime.sealed;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Parser;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds messages in a stream of bytes, each after its length as a varint.
 *
 * <p>Threading: not thread-safe. Holds only the part of a message that has not fully arrived.
 */
public final class FrameReader<M> {
  private static final int MAX_VARINT = 5;

  private final Parser<M> parser;
  private final int maxFrame;
  private ByteString pending = ByteString.EMPTY;

  public FrameReader(Parser<M> parser, int maxFrame) {
    this.parser = parser;
    this.maxFrame = maxFrame;
  }

  /**
   * Takes more bytes and returns the messages that are complete now.
   *
   * @throws InvalidProtocolBufferException when a length is above the limit or a message is none
   */
  public List<M> feed(ByteString bytes) throws InvalidProtocolBufferException {
    ByteString all = pending.concat(bytes);
    List<M> frames = new ArrayList<>();
    int at = 0;
    while (at < all.size()) {
      int length = 0;
      int header = 0;
      boolean complete = false;
      while (!complete && header < MAX_VARINT && at + header < all.size()) {
        byte b = all.byteAt(at + header);
        length |= (b & 0x7f) << (7 * header);
        header++;
        complete = b >= 0;
      }
      if (!complete) {
        if (header == MAX_VARINT) {
          throw new InvalidProtocolBufferException("frame length is no varint of five bytes");
        }
        break;
      }
      if (length < 0 || length > maxFrame) {
        throw new InvalidProtocolBufferException(
            "frame length: %d (expected: at most %d)".formatted(length, maxFrame));
      }
      if (all.size() - at - header < length) {
        break;
      }
      frames.add(parser.parseFrom(all.substring(at + header, at + header + length)));
      at += header + length;
    }
    // Copied, so that a few bytes don't keep a large buffer.
    ByteString rest = all.substring(at);
    pending = rest.isEmpty() ? ByteString.EMPTY : at == 0 ? rest : copyOf(rest);
    return frames;
  }

  private static ByteString copyOf(ByteString bytes) {
    return ByteString.copyFrom(bytes.asReadOnlyByteBuffer());
  }
}
