package dev.towline.testing;

import java.time.Duration;

/**
 * Times that a requirement promises. The long tests, on a machine that is known and has nothing
 * else to do, hold programs to them; elsewhere a slow and busy machine gets six times as long, so
 * that only what hangs fails.
 */
public final class Promised {
  private static final int ROOM = 6;

  private Promised() {}

  /** The promised time, or with room, see above. */
  public static Duration within(Duration promised) {
    return Boolean.getBoolean("towline.long") ? promised : promised.multipliedBy(ROOM);
  }
}
