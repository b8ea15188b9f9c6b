package dev.towline.manager.directives;

import java.util.Collection;

/** Takes directives to targets that are in session. Must not block. */
public interface Delivery {
  boolean isLive(String target);

  /** These were just committed. */
  void queued(Collection<QueuedDirective> directives);
}
