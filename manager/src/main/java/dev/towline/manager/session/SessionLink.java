package dev.towline.manager.session;

import dev.towline.proto.v1.ManagerFrame;

/**
 * The way to the other end of a session. Called by the session's one thread at a time; must not
 * block or throw.
 */
public interface SessionLink {
  void send(ManagerFrame frame);

  /** One more received frame has been dealt with: the next one may come. */
  void proceed();

  /**
   * Whether frames come on a thread that has no other connection to look after, so that they may be
   * worked on there.
   */
  default boolean lendsThread() {
    return true;
  }

  /** Ends the conversation after what was sent before. May be called twice. */
  void close();
}
