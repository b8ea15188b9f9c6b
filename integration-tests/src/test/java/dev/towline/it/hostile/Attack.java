package dev.towline.it.hostile;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.EnrollmentRequest;

/**
 * What a hostile proxy does to the talk of one agent. Everything is passed on as it came unless an
 * attack says otherwise.
 *
 * <p>Threading: called by the proxy's one thread.
 */
interface Attack {
  /** Passes everything on. */
  Attack NONE = new Attack() {};

  /** Sealed bytes of the agent. */
  default void up(AgentLink link, ByteString sealed) {
    link.sealedUp(sealed);
  }

  /** Sealed bytes of the manager. */
  default void down(AgentLink link, ByteString sealed) {
    link.sealedDown(sealed);
  }

  /** An agent has connected: the name under which its session is announced to the manager. */
  default String claim(AgentLink link) {
    return link.identity();
  }

  /** The agent has gone. */
  default void gone(AgentLink link) {
    link.closeUp("AGENT_GONE");
  }

  /** The agent is about to be told that its way to the manager is ready. */
  default void ready(AgentLink link) {
    link.announceUpstream();
  }

  /** A step of an agent's enrollment. */
  default EnrollmentRequest enroll(EnrollmentRequest step) {
    return step;
  }
}
