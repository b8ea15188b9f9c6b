package dev.towline.relay.link;

import io.grpc.netty.shaded.io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.grpc.netty.shaded.io.netty.channel.RecvByteBufAllocator;
import io.grpc.netty.shaded.io.netty.channel.WriteBufferWaterMark;

/**
 * How much a persistent connection reads and writes at once. Netty's defaults of 64 KiB made a
 * relay wake its peer, and be woken, several times for each chunk.
 */
public final class LinkBuffers {
  /** At which bytes waiting for the kernel the transport stops to write, and goes on. */
  public static final WriteBufferWaterMark WRITES =
      new WriteBufferWaterMark(256 * 1024, 512 * 1024);

  private static final int SMALLEST_READ = 64;
  private static final int FIRST_READ = 2048;
  private static final int LARGEST_READ = 256 * 1024;

  private LinkBuffers() {}

  /** Grows with what reads bring. */
  public static RecvByteBufAllocator reads() {
    return new AdaptiveRecvByteBufAllocator(SMALLEST_READ, FIRST_READ, LARGEST_READ);
  }
}
