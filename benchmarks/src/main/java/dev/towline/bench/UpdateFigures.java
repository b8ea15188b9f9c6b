package dev.towline.bench;

import dev.towline.bench.updates.MirrorRun;
import dev.towline.bench.updates.ServingRun;
import dev.towline.bench.updates.ServingRun.Results;
import java.nio.file.Path;
import java.util.Locale;

/** Updates as a manager serves them, beside nginx, and as a proxy mirrors them. */
final class UpdateFigures implements Bench.Benchmark {
  private static final int AGENTS = 500;

  @Override
  public String about() {
    return "updates served beside nginx, and mirrored by a proxy that is killed";
  }

  @Override
  public void run(Path repository, Report report) throws Exception {
    Results served = new ServingRun(repository, report::note).run();
    report.add(
        ratio(
            "updates.tls.cpu_per_gb.ratio_to_nginx",
            served.towline().secondsPerGb(),
            served.nginx().secondsPerGb(),
            1.1,
            true));
    report.add(
        ratio(
            "updates.tls.throughput.ratio_to_nginx",
            served.towline().gbPerSecond(),
            served.nginx().gbPerSecond(),
            1.0,
            false));
    report.add(
        ratio(
            "updates.small.requests.ratio_to_nginx",
            served.towline().requestsPerSecond(),
            served.nginx().requestsPerSecond(),
            0.6,
            false));
    double upstream = new MirrorRun(repository, Bench.agents(AGENTS), report::note).run();
    report.add(Figure.atMost("updates.upstream.ratio", upstream, "", 1.05));
  }

  private static Figure ratio(
      String name, double own, double nginx, double goal, boolean lowerIsBetter) {
    return new Figure(
        name,
        own / nginx,
        "",
        goal,
        lowerIsBetter,
        String.format(Locale.ROOT, "towline %.3f, nginx %.3f", own, nginx));
  }
}
