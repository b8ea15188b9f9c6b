package dev.towline.proxy.uplink;

import dev.towline.proto.v1.UplinkFrame;

/** What the multiplexer needs of a lane's stream. Called in the multiplexer's serial order. */
public interface LanePort {
  boolean isReady();

  /** Writes a frame; only while ready. */
  void send(UplinkFrame frame);
}
