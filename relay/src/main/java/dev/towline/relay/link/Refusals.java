package dev.towline.relay.link;

import java.util.Map;
import java.util.TreeMap;

/** How often connections were refused, by reason. Threading: the loop. */
public final class Refusals {
  private final Map<String, Long> counts = new TreeMap<>();

  /**
   * @param reason stable, for instance {@code NO_PARENT}
   */
  public void count(String reason) {
    counts.merge(reason, 1L, Long::sum);
  }

  public Map<String, Long> counts() {
    return Map.copyOf(counts);
  }
}
