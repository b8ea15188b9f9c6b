package dev.towline.bench.relay;

import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.testing.Await;
import dev.towline.testing.FreePorts;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;

/**
 * One comparison: our pair and its peers at the same time on this machine, measured in turn, round
 * after round; then what only our pair is asked for.
 */
public final class RelayRun {
  private static final int ROUNDS = 5;
  private static final long TRANSFER = 1L << 30;

  /** A Java program gets quicker for its first ten gigabytes or so. */
  private static final int WARM_UP_TURNS = 6;

  private static final int PING_ROUNDS = 7;
  private static final int PINGS = 4_000;
  private static final int WARM_UP_PINGS = 40_000;
  private static final int ONE_WAY_MS = 25;
  private static final int WINDOWS = 5;

  private final Path repository;
  private final Consumer<String> lines;

  /** Each measurement of one way through, by kind. */
  private final Map<String, Map<Kind, List<Double>>> measured = new LinkedHashMap<>();

  /** What is measured of each way through. */
  public enum Kind {
    /** One connection, GB/s. */
    SEND_1,
    /** Eight connections, GB/s. */
    SEND_8,
    /** Processor seconds for a GB, over one and eight connections. */
    CPU,
    /** Microseconds. */
    P50,
    /** Microseconds. */
    P99
  }

  /**
   * @param lines takes a line for people, as it comes
   */
  public RelayRun(Path repository, Consumer<String> lines) {
    this.repository = repository;
    this.lines = lines;
  }

  /**
   * @param delayedMibPerSecond through 50 ms of round trip
   * @param stalledMib what 1,000 stalled connections add to the larger of the two processes
   * @param stalledP99Ratio of a healthy connection, beside stalled ones and without
   * @param longestOpenMs of 2,000 connections opened one after the other
   * @param idleHeld of 9,000 idle connections, how many answered
   */
  public record Results(
      Map<String, Map<Kind, Double>> medians,
      double delayedMibPerSecond,
      double stalledMib,
      double stalledP99Ratio,
      double longestOpenMs,
      double idleHeld) {

    public double ratioToSsh(Kind kind) {
      return of("towline", kind) / of("ssh", kind);
    }

    public double of(String name, Kind kind) {
      return medians.get(name).get(kind);
    }
  }

  public Results run() throws Exception {
    Path directory = Files.createTempDirectory("towline-bench-relay-");
    Files.createDirectories(directory.resolve("logs"));
    LoopbackAddresses addresses = LoopbackAddresses.free(new Random());
    InetSocketAddress sinkAddress = new InetSocketAddress(addresses.host(10), 9000);
    InetSocketAddress delayed = new InetSocketAddress(addresses.host(5), FreePorts.next());
    InetSocketAddress behindDelay = new InetSocketAddress(addresses.host(4), FreePorts.next());
    Path parentConfig =
        Files.writeString(
            directory.resolve("parent.yaml"),
            "manager-public: \"" + Peers.text(sinkAddress) + "\"\n");
    Peers peers = new Peers(directory, addresses, sinkAddress);
    try (LoadProcess sink = process("sink", sinkAddress);
        LoadProcess client = LoadProcess.start("client");
        ProcessFleet fleet = new ProcessFleet(repository, directory, addresses, List.of())) {
      fleet.startManager();
      Program parent =
          fleet.startParentRelay("parent-1", List.of("--config", parentConfig.toString()));
      InetSocketAddress near = new InetSocketAddress(addresses.host(3), FreePorts.next());
      TowlinePassage towline =
          TowlinePassage.start(fleet, parent, "child-1", Peers.text(near), near);
      try (Passage ssh = peers.ssh();
          Passage stunnel = peers.stunnel();
          Passage haproxy = peers.haproxy()) {
        List<Passage> all = List.of(towline, ssh, stunnel, haproxy);
        compareSending(all, client, sink);
        comparePings(all, client, sink);
      }
      double longest = open(towline, client, sink);
      double[] stalled = stall(towline, client, sink);
      double idle = hold(towline, client, sink);
      try (LoadProcess _ =
          LoadProcess.start(
              "delay",
              delayed.getHostString(),
              delayed.getPort(),
              behindDelay.getHostString(),
              behindDelay.getPort(),
              ONE_WAY_MS)) {
        TowlinePassage far =
            TowlinePassage.start(fleet, parent, "child-2", Peers.text(delayed), behindDelay);
        double rate = throughDelay(far, client, sink);
        return new Results(medians(), rate, stalled[0], stalled[1], longest, idle);
      }
    } finally {
      ProcessFleet.deleteTree(directory);
    }
  }

  private static LoadProcess process(String role, InetSocketAddress address) throws IOException {
    return LoadProcess.start(role, address.getHostString(), address.getPort());
  }

  private void compareSending(List<Passage> passages, LoadProcess client, LoadProcess sink)
      throws IOException {
    for (Passage passage : passages) {
      for (int turn = 0; turn < WARM_UP_TURNS; turn++) {
        send(passage, client, sink, 1);
        send(passage, client, sink, 8);
      }
    }
    for (int round = 1; round <= ROUNDS; round++) {
      for (Passage passage : passages) {
        double cpu = passage.processorTime().toMillis() / 1e3;
        double one = send(passage, client, sink, 1);
        double eight = send(passage, client, sink, 8);
        cpu = (passage.processorTime().toMillis() / 1e3 - cpu) / (2 * TRANSFER / 1e9);
        lines.accept(
            String.format(
                Locale.ROOT,
                "  round %d %-8s 1: %.2f GB/s  8: %.2f GB/s  %.2f cpu s/GB",
                round,
                passage.name(),
                one,
                eight,
                cpu));
        add(passage, Kind.SEND_1, one);
        add(passage, Kind.SEND_8, eight);
        add(passage, Kind.CPU, cpu);
      }
    }
  }

  /** Nothing else moves; each was used before until its times no longer fell. */
  private void comparePings(List<Passage> passages, LoadProcess client, LoadProcess sink)
      throws IOException {
    for (Passage passage : passages) {
      ping(passage, client, sink, WARM_UP_PINGS);
    }
    for (int round = 1; round <= PING_ROUNDS; round++) {
      for (Passage passage : passages) {
        double[] rtt = ping(passage, client, sink, PINGS);
        lines.accept(
            String.format(
                Locale.ROOT,
                "  round %d %-8s p50 %.0f us  p99 %.0f us",
                round,
                passage.name(),
                rtt[0],
                rtt[1]));
        add(passage, Kind.P50, rtt[0]);
        add(passage, Kind.P99, rtt[1]);
      }
    }
  }

  private void add(Passage passage, Kind kind, double value) {
    measured
        .computeIfAbsent(passage.name(), _ -> new LinkedHashMap<>())
        .computeIfAbsent(kind, _ -> new ArrayList<>())
        .add(value);
  }

  private Map<String, Map<Kind, Double>> medians() {
    Map<String, Map<Kind, Double>> medians = new LinkedHashMap<>();
    measured.forEach((name, kinds) -> {
      Map<Kind, Double> of = new LinkedHashMap<>();
      kinds.forEach((kind, values) -> of.put(kind, median(values)));
      medians.put(name, of);
    });
    return medians;
  }

  /** GB/s. */
  private static double send(Passage passage, LoadProcess client, LoadProcess sink, int connections)
      throws IOException {
    sink.ask("mode", "discard");
    String[] seconds =
        client.ask(
            "send",
            passage.entry().getHostString(),
            passage.entry().getPort(),
            connections,
            TRANSFER / connections);
    return TRANSFER / 1e9 / Double.parseDouble(seconds[0]);
  }

  private static double[] ping(Passage passage, LoadProcess client, LoadProcess sink, int times)
      throws IOException {
    sink.ask("mode", "echo");
    return numbers(
        client.ask("ping", passage.entry().getHostString(), passage.entry().getPort(), times));
  }

  private double open(TowlinePassage towline, LoadProcess client, LoadProcess sink)
      throws IOException {
    sink.ask("mode", "hold");
    double[] times =
        numbers(
            client.ask("open", towline.entry().getHostString(), towline.entry().getPort(), 2_000));
    sink.ask("drop");
    lines.accept(
        String.format(
            Locale.ROOT,
            "  2,000 connections one after the other, each from connect to its first answer: median"
                + " %.2f ms, longest %.2f ms",
            times[0],
            times[1]));
    return times[1];
  }

  private double[] stall(TowlinePassage towline, LoadProcess client, LoadProcess sink)
      throws IOException {
    sink.ask("mode", "echo");
    client.ask("keep", towline.entry().getHostString(), towline.entry().getPort());
    client.ask("pingkept", 2 * PINGS);
    double before = towline.residentMib();
    long descriptors = towline.descriptors();
    List<Double> calm = p99s(client);
    sink.ask("mode", "stall");
    String[] bytes =
        client.ask("stall", towline.entry().getHostString(), towline.entry().getPort(), 1_000);
    List<Double> beside = p99s(client);
    double added = towline.residentMib() - before;
    client.ask("drop");
    client.ask("unkeep");
    sink.ask("drop");
    Await.until(
        "both relays to have let go of the stalled connections",
        Duration.ofSeconds(30),
        () -> towline.descriptors() <= descriptors);
    lines.accept(
        String.format(
            Locale.ROOT,
            "  1,000 stalled connections took %.0f MiB, kernel buffers included; a process grew by"
                + " %.0f MiB; p99 of a healthy one %s us before, %s us beside them",
            Long.parseLong(bytes[0]) / 1048576.0,
            added,
            calm,
            beside));
    return new double[] {added, median(beside) / median(calm)};
  }

  private static List<Double> p99s(LoadProcess client) throws IOException {
    List<Double> all = new ArrayList<>();
    for (int i = 0; i < WINDOWS; i++) {
      all.add(numbers(client.ask("pingkept", PINGS))[1]);
    }
    return all;
  }

  private double hold(TowlinePassage towline, LoadProcess client, LoadProcess sink)
      throws IOException {
    sink.ask("mode", "hold");
    double before = towline.residentMib();
    double held =
        numbers(
            client.ask("hold", towline.entry().getHostString(), towline.entry().getPort(), 9_000))[
            0];
    lines.accept(
        String.format(
            Locale.ROOT,
            "  9,000 idle connections: %.0f answered, a process grew by %.0f MiB",
            held,
            towline.residentMib() - before));
    client.ask("drop");
    sink.ask("drop");
    return held;
  }

  /** MiB/s. */
  private double throughDelay(TowlinePassage far, LoadProcess client, LoadProcess sink)
      throws IOException {
    lines.accept(
        "  delay: our own TCP proxy between parent and child holds every byte back by "
            + ONE_WAY_MS
            + " ms in each direction, nothing is lost; 8 connections over a pair of 4 HTTP/2"
            + " connections");
    List<Double> rates = new ArrayList<>();
    for (int turn = 0; turn < 4; turn++) {
      double rate = send(far, client, sink, 8) * 1e9 / 1048576;
      if (turn > 0) {
        rates.add(rate);
      }
    }
    double[] rtt = ping(far, client, sink, 50);
    lines.accept(
        String.format(
            Locale.ROOT,
            "  through the delay: %s MiB/s, p50 %.1f ms",
            rates.stream().map(r -> String.format(Locale.ROOT, "%.0f", r)).toList(),
            rtt[0] / 1e3));
    return median(rates);
  }

  private static double[] numbers(String[] words) {
    double[] numbers = new double[words.length];
    for (int i = 0; i < words.length; i++) {
      numbers[i] = Double.parseDouble(words[i]);
    }
    return numbers;
  }

  private static double median(List<Double> values) {
    List<Double> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    return sorted.get(sorted.size() / 2);
  }
}
