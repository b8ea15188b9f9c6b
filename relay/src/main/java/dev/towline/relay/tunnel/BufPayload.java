package dev.towline.relay.tunnel;

import io.grpc.netty.shaded.io.netty.buffer.ByteBuf;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelFutureListener;
import java.io.IOException;
import java.io.OutputStream;

/** What was read from a socket, in the buffer it was read into. */
final class BufPayload implements NettyPayload {
  private final ByteBuf buf;

  /** Takes over the buffer. */
  BufPayload(ByteBuf buf) {
    this.buf = buf;
  }

  @Override
  public int size() {
    return buf.readableBytes();
  }

  @Override
  public Payload takeFirst(int bytes) {
    return new BufPayload(buf.readRetainedSlice(bytes));
  }

  @Override
  public void copyTo(OutputStream out) throws IOException {
    buf.getBytes(buf.readerIndex(), out, buf.readableBytes());
  }

  @Override
  public void writeTo(Channel channel, ChannelFutureListener written) {
    channel.writeAndFlush(buf).addListener(written);
  }

  @Override
  public void discard() {
    buf.release();
  }
}
