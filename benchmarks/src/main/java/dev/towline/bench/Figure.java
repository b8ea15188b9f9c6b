package dev.towline.bench;

import java.util.Locale;

/**
 * One measured number.
 *
 * @param name stable, for instance {@code mainjob.directive.direct.p99_ms}
 * @param goal the bound to hold
 * @param lowerIsBetter whether the bound is an upper one
 * @param peer what it was compared with in the same run; empty when nothing
 */
record Figure(
    String name, double value, String unit, double goal, boolean lowerIsBetter, String peer) {

  static Figure atMost(String name, double value, String unit, double goal) {
    return new Figure(name, value, unit, goal, true, "");
  }

  boolean reached() {
    return lowerIsBetter ? value <= goal : value >= goal;
  }

  String json() {
    return String.format(
        Locale.ROOT,
        "{\"figure\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"goal\":%s,\"peer\":\"%s\"}",
        name,
        value,
        unit,
        goal,
        peer);
  }
}
