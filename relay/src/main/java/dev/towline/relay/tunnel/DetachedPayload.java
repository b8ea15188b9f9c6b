package dev.towline.relay.tunnel;

import io.grpc.HasByteBuffer;
import io.grpc.netty.shaded.io.netty.buffer.Unpooled;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelFutureListener;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;

/**
 * What arrived on a stream, still in the transport's buffers. They are kept from being given back
 * by the mark and go back when the stream is closed.
 */
final class DetachedPayload implements NettyPayload {
  private final InputStream stream;
  private final int size;

  /**
   * @param stream detached, offers byte buffers and supports marks; holds exactly the payload
   */
  DetachedPayload(InputStream stream, int size) {
    this.stream = stream;
    this.size = size;
    stream.mark(size);
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public Payload takeFirst(int bytes) {
    throw new UnsupportedOperationException("a received payload is written as a whole");
  }

  @Override
  public void copyTo(OutputStream out) throws IOException {
    stream.transferTo(out);
    stream.reset();
  }

  @Override
  public void writeTo(Channel channel, ChannelFutureListener written) {
    try {
      int left = size;
      while (left > 0) {
        ByteBuffer part = ((HasByteBuffer) stream).getByteBuffer();
        if (part == null) {
          throw new IOException(left + " bytes of a chunk are missing");
        }
        int length = part.remaining();
        left -= length;
        var future = channel.write(Unpooled.wrappedBuffer(part));
        stream.skipNBytes(length);
        if (left <= 0) {
          future.addListener(_ -> discard()).addListener(written);
        }
      }
      channel.flush();
    } catch (IOException e) {
      discard();
      channel.newFailedFuture(e).addListener(written);
    }
  }

  @Override
  public void discard() {
    try {
      stream.close();
    } catch (IOException e) {
      throw new AssertionError("closing a detached message does no I/O", e);
    }
  }
}
