package dev.towline.bench;

import dev.towline.bench.inner.InnerTls;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/**
 * The candidates for the connection between agent and manager inside a proxy's frames. The figures
 * are those of the one that is used; the others stand beside them.
 */
final class InnerTlsFigures implements Bench.Benchmark {
  @Override
  public String about() {
    return "memory, time and bytes of the inner connection through a proxy, by kind";
  }

  @Override
  public void run(Path repository, Report report) throws Exception {
    Map<String, Map<String, Double>> medians = InnerTls.run(report::note);
    add(report, medians, "kib_per_session", "KiB", 20, m -> (m.get("heap") + m.get("rss")) / 1024);
    add(report, medians, "manager_us", "us", 1_500, m -> m.get("manager_us"));
    add(report, medians, "agent_us", "us", 1_500, m -> m.get("agent_us"));
    add(report, medians, "handshake_bytes", "B", 6_000, m -> m.get("up") + m.get("down"));
    add(report, medians, "frame_overhead", "B", 32, m -> m.get("overhead"));
    add(report, medians, "open_us", "us", 20, m -> m.get("open_us"));
  }

  private interface Column {
    double of(Map<String, Double> medians);
  }

  private static void add(
      Report report,
      Map<String, Map<String, Double>> medians,
      String name,
      String unit,
      double goal,
      Column column) {
    String peers =
        String.format(
            Locale.ROOT,
            "jdk %.1f, noise %.1f",
            column.of(medians.get("jdk")),
            column.of(medians.get("noise")));
    double value = column.of(medians.get("boringssl"));
    report.add(new Figure("inner." + name, value, unit, goal, true, peers));
  }
}
