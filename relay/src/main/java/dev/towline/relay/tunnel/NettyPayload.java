package dev.towline.relay.tunnel;

import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelFutureListener;
import java.io.IOException;
import java.io.OutputStream;

/** A payload that can go to a socket and to a stream. */
interface NettyPayload extends Payload {

  /** Copies all of it, without giving it up. */
  void copyTo(OutputStream out) throws IOException;

  /** Writes and flushes all of it and gives it up; the listener hears of the last byte. */
  void writeTo(Channel channel, ChannelFutureListener written);
}
