package dev.towline.bench;

import dev.towline.bench.relay.RelayRun;
import dev.towline.bench.relay.RelayRun.Kind;
import dev.towline.bench.relay.RelayRun.Results;
import java.nio.file.Path;
import java.util.Locale;

/** Our pair of relays beside OpenSSH -R, stunnel and HAProxy. */
final class RelayFigures implements Bench.Benchmark {
  @Override
  public String about() {
    return "the pair of relays beside OpenSSH -R, stunnel and HAProxy: throughput, cost, delay,"
        + " memory";
  }

  @Override
  public void run(Path repository, Report report) throws Exception {
    Results results = new RelayRun(repository, report::note).run();
    add(report, results, "throughput.1", Kind.SEND_1, 0.85, false);
    add(report, results, "throughput.8", Kind.SEND_8, 0.85, false);
    add(report, results, "cpu_per_gb", Kind.CPU, 1.25, true);
    add(report, results, "rtt.p50", Kind.P50, 1.25, true);
    add(report, results, "rtt.p99", Kind.P99, 2, true);
    report.add(
        new Figure(
            "relay.delay50ms.mib_per_s", results.delayedMibPerSecond(), "MiB/s", 100, false, ""));
    report.add(Figure.atMost("relay.stalled1000.rss_mib", results.stalledMib(), "MiB", 300));
    report.add(Figure.atMost("relay.stalled1000.p99_ratio", results.stalledP99Ratio(), "", 1.2));
    report.add(Figure.atMost("relay.open2000.max_wait_ms", results.longestOpenMs(), "ms", 50));
    report.add(new Figure("relay.idle9000.held", results.idleHeld(), "", 9_000, false, ""));
  }

  private static void add(
      Report report, Results results, String name, Kind kind, double goal, boolean lowerIsBetter) {
    String peers =
        String.format(
            Locale.ROOT,
            "towline %.2f, ssh %.2f, stunnel %.2f, haproxy %.2f",
            results.of("towline", kind),
            results.of("ssh", kind),
            results.of("stunnel", kind),
            results.of("haproxy", kind));
    report.add(
        new Figure(
            "relay." + name + ".ratio_to_ssh",
            results.ratioToSsh(kind),
            "",
            goal,
            lowerIsBetter,
            peers));
  }
}
