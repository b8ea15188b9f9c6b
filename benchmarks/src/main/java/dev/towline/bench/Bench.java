package dev.towline.bench;

import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** {@code bin/bench NAME}. */
public final class Bench {
  private static final Map<String, Benchmark> BENCHMARKS =
      new TreeMap<>(
          Map.of(
              "main-job", new MainJob(),
              "firewall", new FirewallFigures(),
              "communication", new CommunicationFigures(),
              "inner-tls", new InnerTlsFigures(),
              "proxy", new ProxyFigures(),
              "relay", new RelayFigures(),
              "spool", new SpoolFigures(),
              "updates", new UpdateFigures(),
              "rotation", new RotationFigures()));

  /** One named set of figures. */
  interface Benchmark {
    String about();

    void run(Path repository, Report report) throws Exception;
  }

  private Bench() {}

  /** How many agents to measure with, where the operator does not want the usual number. */
  static int agents(int usual) {
    String fewer = System.getenv("TOWLINE_BENCH_AGENTS");
    return fewer == null ? usual : Integer.parseInt(fewer);
  }

  public static void main(String[] arguments) throws Exception {
    Benchmark benchmark = arguments.length == 1 ? BENCHMARKS.get(arguments[0]) : null;
    if (benchmark == null) {
      System.err.println("usage: bin/bench NAME, where NAME is one of");
      BENCHMARKS.forEach((name, known) -> System.err.println("  " + name + "  " + known.about()));
      System.exit(2);
      return;
    }
    Runtime.getRuntime().addShutdownHook(new Thread(Bench::endPrograms, "end-programs"));
    Report report = new Report(System.out);
    benchmark.run(Path.of(System.getProperty("towline.repository", ".")), report);
    report.print();
    System.exit(0);
  }

  /** What a run that was interrupted still has running. */
  private static void endPrograms() {
    ProcessHandle.current().descendants().forEach(ProcessHandle::destroy);
  }
}
