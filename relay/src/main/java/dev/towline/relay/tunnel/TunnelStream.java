package dev.towline.relay.tunnel;

/** The stream of one tunnel, at either end. Used on the loop only. */
public interface TunnelStream {
  void send(Frame frame);

  /** Whether another data frame may be sent without piling up. */
  boolean isReady();

  /** Nothing more will be sent; what was sent still arrives. */
  void end();
}
