package dev.towline.relay.tunnel;

import io.grpc.netty.shaded.io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * How much one read of a local socket asks for: what the tunnel may send, and what reads brought
 * lately. One per socket.
 */
public final class LocalReads extends DefaultMaxMessagesRecvByteBufAllocator {
  private static final int SMALLEST = 2048;

  private @Nullable Tunnel tunnel;
  private int size = 16 * 1024;

  public LocalReads() {
    super(1);
  }

  void attach(Tunnel attached) {
    tunnel = attached;
  }

  @Override
  @SuppressWarnings("deprecation") // the type that the library itself still returns here
  public Handle newHandle() {
    return new MaxMessageHandle() {
      @Override
      public int guess() {
        return tunnel == null ? SMALLEST : Math.min(size, tunnel.readAllowance());
      }

      @Override
      public void lastBytesRead(int bytes) {
        super.lastBytesRead(bytes);
        if (bytes > 0 && bytes == attemptedBytesRead()) {
          size = Math.min(size * 2, Tunnel.MAX_CHUNK);
        } else if (bytes > 0 && bytes < size / 8) {
          size = Math.max(size / 2, SMALLEST);
        }
      }
    };
  }
}
