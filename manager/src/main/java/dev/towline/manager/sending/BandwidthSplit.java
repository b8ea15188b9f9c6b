package dev.towline.manager.sending;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Splits a cluster's bandwidth over its proxies by demand: who needs less than its even part gets
 * what it needs and some room to grow, the others share the rest evenly. The parts never add up to
 * more than the whole.
 */
final class BandwidthSplit {
  /** Of its even part, so that a proxy that was idle can show that it needs more. */
  private static final double LEAST = 0.05;

  private static final double ROOM_TO_GROW = 1.25;

  private BandwidthSplit() {}

  /**
   * @param needs bytes per second that come in now
   * @param backlogged more is waiting than that
   */
  record Demand(String proxy, double needs, boolean backlogged) {}

  static Map<String, Long> split(long bandwidth, List<Demand> demands) {
    Map<String, Long> parts = new HashMap<>();
    if (demands.isEmpty()) {
      return parts;
    }
    double least = LEAST * bandwidth / demands.size();
    // Those with the smallest wishes first: what they leave is for the others.
    List<Demand> ascending =
        demands.stream()
            .sorted((a, b) -> Double.compare(wish(a, bandwidth, least), wish(b, bandwidth, least)))
            .toList();
    double left = bandwidth;
    int others = ascending.size();
    for (Demand demand : ascending) {
      double part = Math.min(wish(demand, bandwidth, least), left / others);
      parts.put(demand.proxy(), (long) Math.floor(part));
      left -= part;
      others--;
    }
    return parts;
  }

  private static double wish(Demand demand, long bandwidth, double least) {
    return demand.backlogged()
        ? bandwidth
        : Math.min((double) bandwidth, Math.max(least, demand.needs() * ROOM_TO_GROW + least));
  }
}
