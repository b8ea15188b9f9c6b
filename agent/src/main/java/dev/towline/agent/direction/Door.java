package dev.towline.agent.direction;

import java.io.IOException;

/** A port on which managers may dial this host. */
public interface Door {
  int port();

  /** Nobody comes in any more; who is in stays. */
  void close();

  /** Opens one. */
  @FunctionalInterface
  interface Opener {
    /**
     * @param expected a manager will come in soon
     * @throws IOException when the port can't be listened on
     */
    Door open(int port, boolean expected) throws IOException;
  }
}
