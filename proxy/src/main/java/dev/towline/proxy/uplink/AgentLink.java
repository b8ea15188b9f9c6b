package dev.towline.proxy.uplink;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DownFrame;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * One agent's session in the multiplexer. There are many of these and most are idle, so an idle one
 * holds no collection.
 */
public final class AgentLink {
  final AgentPort port;
  final String identity;

  /** Serial number of the certificate that the outer stream was opened with. */
  final String serial;

  final String source;

  /** The lane that carries the session; null while it isn't announced. */
  @Nullable Lane lane;

  /** The session number on the uplink; 0 while it isn't announced. */
  long number;

  /** Counts the upstreams this agent was told of. */
  int upstream;

  /** The agent has answered for the present upstream: what it sends now belongs to it. */
  boolean current;

  /** What may still be sent up and down. */
  int upCredit;

  int downCredit;

  /** One frame was requested of the agent and hasn't arrived. */
  boolean reading;

  /** A frame that waits for the lane. While it does, the agent isn't read. */
  @Nullable ByteString pendingUp;

  int pendingUpCredit;
  boolean queuedUp;

  /** Frames that wait for the agent; null when none do. */
  @Nullable ArrayDeque<DownFrame> down;

  int downBytes;
  int pendingDownCredit;

  /** The agent's stream is gone; what is pending still goes up, then this code. */
  @Nullable String closeUp;

  /** The session is over upstream; what is queued still goes to the agent, then the end. */
  @Nullable String endCode;

  String endDetail = "";

  /** Where it stands in the register. */
  int place;

  /** Nothing is called on the port any more. */
  boolean portGone;

  AgentLink(AgentPort port, String identity, String serial, String source) {
    this.port = port;
    this.identity = identity;
    this.serial = serial;
    this.source = source;
  }
}
