package dev.towline.runtime.firewall;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Ports, both ends included. */
public record PortRange(int from, int to) {
  private static final int LAST = 65_535;

  /** Reads {@code 443} or {@code 8000-8099}. */
  public static Optional<PortRange> parse(String text) {
    if (!text.matches("\\d{1,5}(-\\d{1,5})?")) {
      return Optional.empty();
    }
    String[] ends = text.split("-");
    var range = new PortRange(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]));
    return range.from <= range.to && range.to <= LAST ? Optional.of(range) : Optional.empty();
  }

  static List<PortRange> merged(List<PortRange> ranges) {
    List<PortRange> merged = new ArrayList<>();
    for (PortRange range :
        ranges.stream().sorted(Comparator.comparingInt(PortRange::from)).toList()) {
      PortRange last = merged.isEmpty() ? null : merged.getLast();
      if (last != null && range.from <= last.to + 1) {
        merged.set(merged.size() - 1, new PortRange(last.from, Math.max(last.to, range.to)));
      } else {
        merged.add(range);
      }
    }
    return merged;
  }

  boolean contains(int port) {
    return from <= port && port <= to;
  }

  /** As nft reads it. */
  public String text() {
    return from == to ? String.valueOf(from) : from + "-" + to;
  }
}
