package dev.towline.bench.inner;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Compares what an agent's connection with its manager inside a proxy's frames may be made of, each
 * candidate in processes of its own, several times in turn.
 */
public final class InnerTls {
  private static final int SESSIONS = 10_000;
  private static final int RUNS = 3;

  private InnerTls() {}

  /** Takes a line of the table for people, as it comes. */
  public interface Lines {
    void line(String text);
  }

  /**
   * Medians by candidate, then by column: {@code heap}, {@code rss}, {@code manager_us} and so on.
   */
  public static Map<String, Map<String, Double>> run(Lines lines)
      throws IOException, InterruptedException {
    Map<InnerKind, List<Map<String, Double>>> runs = new EnumMap<>(InnerKind.class);
    for (int run = 0; run < RUNS; run++) {
      for (InnerKind kind : InnerKind.values()) {
        String line = once(kind);
        lines.line("  " + kind + ": " + line);
        runs.computeIfAbsent(kind, k -> new ArrayList<>()).add(parse(line));
      }
    }
    Map<String, Map<String, Double>> medians = new HashMap<>();
    runs.forEach((kind, results) -> {
      Map<String, Double> median = new HashMap<>();
      for (String column : results.getFirst().keySet()) {
        median.put(column, median(results.stream().map(r -> r.get(column)).toList()));
      }
      medians.put(kind.name().toLowerCase(java.util.Locale.ROOT), median);
    });
    return medians;
  }

  private static String once(InnerKind kind) throws IOException, InterruptedException {
    Path directory = Files.createTempDirectory("towline-inner-");
    try {
      Process process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "--enable-native-access=ALL-UNNAMED",
                  "-Xms768m",
                  "-Xmx768m",
                  "-XX:+AlwaysPreTouch",
                  "-XX:+UseSerialGC",
                  "-XX:+UseCompactObjectHeaders",
                  "-cp",
                  System.getProperty("java.class.path"),
                  InnerProcess.class.getName(),
                  "manager",
                  kind.name(),
                  Integer.toString(SESSIONS),
                  directory.toString())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      String out =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      if (process.waitFor() != 0) {
        throw new IOException("measuring " + kind + " failed with status " + process.exitValue());
      }
      return out;
    } finally {
      try (Stream<Path> files = Files.walk(directory)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static Map<String, Double> parse(String line) {
    Map<String, Double> values = new HashMap<>();
    for (String pair : line.split(" ")) {
      String[] parts = pair.split("=");
      values.put(parts[0], Double.parseDouble(parts[1]));
    }
    return values;
  }

  private static double median(List<Double> values) {
    List<Double> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    return sorted.get(sorted.size() / 2);
  }
}
