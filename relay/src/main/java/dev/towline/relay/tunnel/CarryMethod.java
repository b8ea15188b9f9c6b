package dev.towline.relay.tunnel;

import dev.towline.proto.v1.RelayServiceGrpc;
import io.grpc.MethodDescriptor;

/** {@code RelayService.Carry} with frames in place of the generated messages. */
public final class CarryMethod {
  public static final MethodDescriptor<Frame, Frame> DESCRIPTOR =
      RelayServiceGrpc.getCarryMethod().toBuilder(
              FrameMarshaller.INSTANCE, FrameMarshaller.INSTANCE)
          .build();

  /**
   * How many bytes may wait in the transport before a stream counts as not ready. The default of 32
   * KiB would stop after each chunk.
   */
  public static final int READY_THRESHOLD = 512 * 1024;

  /**
   * HTTP/2 window of a stream and, in this library, of its connection too. Only bounds what is
   * under way: memory is bounded by the credit of each tunnel, and who sends past it is reset.
   */
  public static final int FLOW_CONTROL_WINDOW = 16 * 1024 * 1024;

  /** Tunnels at once over one persistent connection; both relays hold to it. */
  public static final int MAX_TUNNELS = 4096;

  private CarryMethod() {}
}
