package dev.towline.bench.updates;

import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.updates.RepositoryPaths;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A manager and nginx serve the same tree over TLS 1.3 to the same clients: {@code curl} for one
 * large file, two at a time, {@code wrk} for a small one over 16 connections. In turns, after a
 * round that counts for nothing; medians of three.
 */
public final class ServingRun {
  private static final int LARGE = 100_000_000;
  private static final int SMALL = 4 << 10;
  private static final int ROUNDS = 3;
  private static final int FETCHES = 16;
  private static final String SUITE = "TLS_AES_128_GCM_SHA256";
  private static final Pattern REQUESTS = Pattern.compile("Requests/sec:\\s+([0-9.]+)");

  private final Path repository;
  private final Consumer<String> notes;

  public ServingRun(Path repository, Consumer<String> notes) {
    this.repository = repository;
    this.notes = notes;
  }

  /**
   * Of one server.
   *
   * @param secondsPerGb processor time of the server
   */
  public record Served(double secondsPerGb, double gbPerSecond, double requestsPerSecond) {}

  public record Results(Served towline, Served nginx) {}

  public Results run() throws Exception {
    Path directory = Files.createTempDirectory("towline-bench-updates-");
    Random random = new Random();
    Path content = Files.createDirectories(directory.resolve("content"));
    byte[] large = new byte[LARGE];
    random.nextBytes(large);
    byte[] small = new byte[SMALL];
    random.nextBytes(small);
    Files.write(content.resolve("large"), large);
    Files.write(content.resolve("small"), small);
    try (ProcessFleet fleet =
        new ProcessFleet(repository, directory, LoopbackAddresses.free(random), List.of())) {
      Program manager = fleet.startManager();
      fleet.towline(
          "updates", "import", content.toString(), "--component", "bench", "--version", "1");
      Path export = directory.resolve("export");
      fleet.towline("updates", "export", export.toString());
      try (var nginx = new Nginx(directory, export, fleet.host(6) + ":8443")) {
        String own = "https://" + fleet.managerHost() + ":8443/updates/";
        List<Server> servers =
            List.of(
                new Server("towline", manager, own),
                new Server("nginx", nginx.program(), nginx.address()));
        for (int round = 0; round <= ROUNDS; round++) {
          for (Server server : servers) {
            server.measure(path(large), path(small), round > 0);
          }
        }
        servers.forEach(server -> notes.accept("  " + server));
        return new Results(servers.getFirst().median(), servers.getLast().median());
      }
    } finally {
      ProcessFleet.deleteTree(directory);
    }
  }

  private static String path(byte[] content) {
    return RepositoryPaths.file(HexFormat.of().formatHex(Fingerprints.sha256(content)));
  }

  /** What is measured of one of the two. */
  private static final class Server {
    private final String name;
    private final Program program;
    private final String address;
    private final List<Double> secondsPerGb = new ArrayList<>();
    private final List<Double> gbPerSecond = new ArrayList<>();
    private final List<Double> requests = new ArrayList<>();

    Server(String name, Program program, String address) {
      this.name = name;
      this.program = program;
      this.address = address;
    }

    void measure(String large, String small, boolean counts) throws Exception {
      Duration before = processorTime();
      long from = System.nanoTime();
      fetch(address + large);
      double seconds = (System.nanoTime() - from) / 1e9;
      double gigabytes = (double) LARGE * FETCHES / 1e9;
      double used = processorTime().minus(before).toMillis() / 1e3;
      double rate = load(address + small);
      if (counts) {
        secondsPerGb.add(used / gigabytes);
        gbPerSecond.add(gigabytes / seconds);
        requests.add(rate);
      }
    }

    private Duration processorTime() throws IOException {
      Duration sum = program.processorTime();
      for (ProcessHandle child :
          ProcessHandle.of(program.pid()).orElseThrow().children().toList()) {
        String stat = Files.readString(Path.of("/proc/" + child.pid() + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        sum = sum.plusMillis(10 * (Long.parseLong(fields[11]) + Long.parseLong(fields[12])));
      }
      return sum;
    }

    private static void fetch(String url) throws Exception {
      List<String> command =
          new ArrayList<>(
              List.of("curl", "-fsSk", "--noproxy", "*", "--tls13-ciphers", SUITE, "-Z"));
      command.addAll(List.of("--parallel-max", "2"));
      for (int i = 0; i < FETCHES; i++) {
        command.addAll(List.of("-o", "/dev/null", url));
      }
      Shell.run(command.toArray(String[]::new));
    }

    private static double load(String url) throws Exception {
      String said = Shell.run("wrk", "-t1", "-c16", "-d8s", url);
      Matcher rate = REQUESTS.matcher(said);
      if (!rate.find() || said.contains("Non-2xx")) {
        throw new IOException("wrk: " + said);
      }
      return Double.parseDouble(rate.group(1));
    }

    Served median() {
      return new Served(median(secondsPerGb), median(gbPerSecond), median(requests));
    }

    private static double median(List<Double> values) {
      return values.stream().sorted().toList().get(values.size() / 2);
    }

    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%-8s %.2f s processor time per GB, %.2f GB/s, %.0f small files/s (each round: %s, %s,"
              + " %s)",
          name,
          median().secondsPerGb(),
          median().gbPerSecond(),
          median().requestsPerSecond(),
          rounded(secondsPerGb),
          rounded(gbPerSecond),
          rounded(requests));
    }

    private static List<String> rounded(List<Double> values) {
      return values.stream().map(value -> String.format(Locale.ROOT, "%.2f", value)).toList();
    }
  }
}
