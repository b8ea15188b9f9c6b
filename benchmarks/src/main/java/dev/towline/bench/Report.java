package dev.towline.bench;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** Collects figures and prints them: a table for people, then one JSON line each. */
final class Report {
  private final List<Figure> figures = new ArrayList<>();
  private final PrintStream out;

  Report(PrintStream out) {
    this.out = out;
  }

  void add(Figure figure) {
    figures.add(figure);
    out.printf("  measured %s = %.3f %s%n", figure.name(), figure.value(), figure.unit());
  }

  void note(String line) {
    out.println(line);
  }

  void print() {
    out.println();
    out.printf("%-40s %12s %-8s %12s  %s%n", "FIGURE", "VALUE", "UNIT", "GOAL", "");
    for (Figure figure : figures) {
      out.printf(
          "%-40s %12.3f %-8s %s%11s  %s%n",
          figure.name(),
          figure.value(),
          figure.unit(),
          figure.lowerIsBetter() ? "≤" : "≥",
          figure.goal(),
          figure.reached() ? "reached" : "MISSED");
    }
    out.println();
    figures.forEach(figure -> out.println(figure.json()));
  }
}
