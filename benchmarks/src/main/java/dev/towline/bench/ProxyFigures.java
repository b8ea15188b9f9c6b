package dev.towline.bench;

import dev.towline.bench.proxy.ProxyRun;
import java.nio.file.Path;

/** 19,000 agents on one proxy process. */
final class ProxyFigures implements Bench.Benchmark {
  private static final int AGENTS = 19_000;

  @Override
  public String about() {
    return "many agents on one proxy: memory, sessions per second, directives, restarts"
        + " (TOWLINE_BENCH_AGENTS=N for fewer)";
  }

  @Override
  public void run(Path repository, Report report) throws Exception {
    String fewer = System.getenv("TOWLINE_BENCH_AGENTS");
    int agents = fewer == null ? AGENTS : Integer.parseInt(fewer);
    new ProxyRun(repository, agents, MainJob::directive, report::note)
        .run((name, value, unit, goal, lowerIsBetter) ->
            report.add(new Figure(name, value, unit, goal, lowerIsBetter, "")));
  }
}
