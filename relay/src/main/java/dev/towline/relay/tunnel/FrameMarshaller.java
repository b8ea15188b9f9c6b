package dev.towline.relay.tunnel;

import com.google.protobuf.CodedOutputStream;
import dev.towline.proto.v1.Chunk;
import dev.towline.proto.v1.TunnelFin;
import dev.towline.proto.v1.TunnelOpened;
import dev.towline.proto.v1.TunnelReset;
import io.grpc.Detachable;
import io.grpc.Drainable;
import io.grpc.HasByteBuffer;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.Status;
import io.grpc.netty.shaded.io.netty.buffer.Unpooled;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Frames as the protobuf message {@code Chunk}, data without the copies of a generated message:
 * outbound it is copied once, into the transport's buffer, inbound it stays where it arrived.
 *
 * <p>The data of an outbound frame belongs to the caller, who discards it after sending.
 */
public final class FrameMarshaller implements Marshaller<Frame> {
  public static final FrameMarshaller INSTANCE = new FrameMarshaller();

  /** Field 2, length-delimited: {@code bytes data = 2}. */
  private static final int DATA_TAG = Chunk.DATA_FIELD_NUMBER << 3 | 2;

  /** Below this a copy costs less than keeping the transport's buffers. */
  private static final int WORTH_DETACHING = 2048;

  private FrameMarshaller() {}

  @Override
  public InputStream stream(Frame frame) {
    return switch (frame) {
      case Frame.Data(Payload payload) -> new DataStream((NettyPayload) payload);
      case Frame.Open(var open) -> message(Chunk.newBuilder().setOpen(open));
      case Frame.Opened _ ->
          message(Chunk.newBuilder().setOpened(TunnelOpened.getDefaultInstance()));
      case Frame.Fin _ -> message(Chunk.newBuilder().setFin(TunnelFin.getDefaultInstance()));
      case Frame.Reset(String code, String detail) ->
          message(
              Chunk.newBuilder()
                  .setReset(TunnelReset.newBuilder().setCode(code).setDetail(detail)));
      case Frame.Credit(int bytes) -> message(Chunk.newBuilder().setCredit(bytes));
    };
  }

  private static InputStream message(Chunk.Builder chunk) {
    return new ByteArrayInputStream(chunk.build().toByteArray());
  }

  @Override
  public Frame parse(InputStream stream) {
    try {
      int first = stream.read();
      return first == DATA_TAG ? parseData(stream) : parseOther(first, stream);
    } catch (IOException e) {
      throw Status.INTERNAL
          .withDescription("chunk can't be read")
          .withCause(e)
          .asRuntimeException();
    }
  }

  private static Frame parseData(InputStream stream) throws IOException {
    int length = readLength(stream);
    int available = stream.available();
    if (length < 0 || length != available) {
      throw malformed("data of " + length + " bytes in a message with " + available);
    }
    if (length >= WORTH_DETACHING
        && stream instanceof Detachable detachable
        && stream instanceof HasByteBuffer buffers
        && buffers.byteBufferSupported()
        && stream.markSupported()) {
      return new Frame.Data(new DetachedPayload(detachable.detach(), length));
    }
    return new Frame.Data(new BufPayload(Unpooled.wrappedBuffer(stream.readNBytes(length))));
  }

  private static int readLength(InputStream stream) throws IOException {
    int length = 0;
    for (int shift = 0; shift < 32; shift += 7) {
      int next = stream.read();
      if (next < 0) {
        break;
      }
      length |= (next & 0x7f) << shift;
      if (next < 0x80) {
        return length;
      }
    }
    throw malformed("length of data is cut off or too large");
  }

  private static Frame parseOther(int first, InputStream stream) throws IOException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    if (first >= 0) {
      all.write(first);
    }
    stream.transferTo(all);
    Chunk chunk = Chunk.parseFrom(all.toByteArray());
    return switch (chunk.getChunkCase()) {
      case OPEN -> new Frame.Open(chunk.getOpen());
      case DATA ->
          new Frame.Data(new BufPayload(Unpooled.wrappedBuffer(chunk.getData().toByteArray())));
      case OPENED -> new Frame.Opened();
      case FIN -> new Frame.Fin();
      case RESET -> new Frame.Reset(chunk.getReset().getCode(), chunk.getReset().getDetail());
      case CREDIT -> new Frame.Credit(chunk.getCredit());
      case CHUNK_NOT_SET -> throw malformed("chunk of no known kind");
    };
  }

  private static RuntimeException malformed(String detail) {
    return Status.INTERNAL.withDescription(detail).asRuntimeException();
  }

  /** {@code Chunk{data}} as a stream whose length is known and that writes itself out. */
  private static final class DataStream extends InputStream implements KnownLength, Drainable {
    private final NettyPayload payload;
    private final byte[] head;
    private boolean drained;
    // Only for a transport that reads instead of letting the stream drain itself.
    private @Nullable InputStream copy;

    DataStream(NettyPayload payload) {
      this.payload = payload;
      int size = payload.size();
      this.head = new byte[1 + CodedOutputStream.computeUInt32SizeNoTag(size)];
      head[0] = (byte) DATA_TAG;
      for (int i = 1, rest = size; i < head.length; i++, rest >>>= 7) {
        head[i] = (byte) (i < head.length - 1 ? rest & 0x7f | 0x80 : rest);
      }
    }

    @Override
    public int available() throws IOException {
      return copy != null ? copy.available() : drained ? 0 : head.length + payload.size();
    }

    @Override
    public int drainTo(OutputStream target) throws IOException {
      int length = available();
      if (copy != null) {
        copy.transferTo(target);
      } else if (!drained) {
        drained = true;
        target.write(head);
        payload.copyTo(target);
      }
      return length;
    }

    @Override
    public int read() throws IOException {
      return copy().read();
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      return copy().read(into, offset, length);
    }

    private InputStream copy() throws IOException {
      if (copy == null) {
        ByteArrayOutputStream all = new ByteArrayOutputStream(available());
        drainTo(all);
        copy = new ByteArrayInputStream(all.toByteArray());
      }
      return copy;
    }
  }
}
