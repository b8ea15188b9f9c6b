package dev.towline.proxy.uplink;

/**
 * How many bytes a message becomes on the uplink's interface: gRPC and HTTP/2 framing, TLS records,
 * TCP/IP headers of full segments. The sum for a saturated link is checked against the kernel's
 * counters by {@code SendingIT}.
 */
public final class WireBytes {
  private static final int GRPC = 5;
  private static final int HTTP2_FRAME = 9;
  private static final int TLS_RECORD = 22;
  private static final int LARGEST_FRAME = 16 << 10;

  /**
   * Payload of a TCP segment with time stamps on Ethernet, and half of its headers: the wire counts
   * all of them, an interface with segmentation offload nearly none.
   */
  private static final int SEGMENT = 1448;

  private static final int SEGMENT_HEADERS = 26;

  private WireBytes() {}

  public static int of(int message) {
    int framed = message + GRPC;
    int frames = (framed + LARGEST_FRAME - 1) / LARGEST_FRAME;
    int stream = framed + frames * (HTTP2_FRAME + TLS_RECORD);
    return stream + (stream * SEGMENT_HEADERS + SEGMENT - 1) / SEGMENT;
  }
}
