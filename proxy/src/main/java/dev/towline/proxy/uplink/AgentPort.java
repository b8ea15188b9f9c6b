package dev.towline.proxy.uplink;

import dev.towline.proto.v1.DownFrame;

/** What the multiplexer needs of an agent's stream. Called in the multiplexer's serial order. */
public interface AgentPort {
  /** Whether a frame can be written without piling up in memory. */
  boolean isReady();

  /** Writes a frame; only while ready. */
  void send(DownFrame frame);

  /** Allows one more frame to arrive. */
  void request();

  /** Ends the stream; nothing is called afterwards. */
  void end(String code, String detail);
}
