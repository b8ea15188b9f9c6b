package dev.towline.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Measured times in milliseconds. */
final class Samples {
  private final List<Double> milliseconds = new ArrayList<>();

  void addNanos(long nanos) {
    milliseconds.add(nanos / 1e6);
  }

  /** The value that {@code percent} of the samples do not exceed. */
  double percentile(double percent) {
    List<Double> sorted = new ArrayList<>(milliseconds);
    Collections.sort(sorted);
    int index = (int) Math.ceil(percent / 100 * sorted.size()) - 1;
    return sorted.get(Math.max(0, index));
  }

  static double median(List<Double> values) {
    List<Double> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    return sorted.get(sorted.size() / 2);
  }
}
