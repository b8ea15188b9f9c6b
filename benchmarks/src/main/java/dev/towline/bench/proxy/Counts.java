package dev.towline.bench.proxy;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;

/** What the agents of a process have seen. Safe for use by several threads. */
final class Counts {
  final LongAdder connected = new LongAdder();

  /** That have a welcomed session now. */
  final LongAdder online = new LongAdder();

  final LongAdder welcomes = new LongAdder();
  final LongAdder heartbeats = new LongAdder();
  final LongAdder heartbeatAcks = new LongAdder();
  final LongAdder results = new LongAdder();
  private final Map<String, Integer> ends = new TreeMap<>();

  synchronized void ended(String why) {
    ends.merge(why, 1, Integer::sum);
  }

  /** How calls ended since the last time it was asked, most telling first by name. */
  synchronized Map<String, Integer> takeEnds() {
    Map<String, Integer> taken = new TreeMap<>(ends);
    ends.clear();
    return taken;
  }
}
