package dev.towline.bench;

import dev.towline.it.fleet.FirewallOrders;
import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.ControlFirewall.Order;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.runtime.firewall.FirewallDocument;
import dev.towline.runtime.firewall.FirewallRules;
import dev.towline.runtime.firewall.NftText;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the host firewall costs on a NAT gateway: a client and a server with iperf3 in namespaces of
 * their own, between them one with the real agent, whose manager runs on this host.
 */
final class FirewallFigures implements Bench.Benchmark {
  private static final int RULES = 1_000;
  private static final int ROUNDS = 10;
  private static final int APPLIED = 20;
  private static final String NETWORK = "10.77.91.";
  private static final Pattern BITS =
      Pattern.compile("\"sum_received\"\\s*:\\s*\\{[^}]*\"bits_per_second\"\\s*:\\s*([0-9.e+]+)");
  private static final Pattern SENT = Pattern.compile("sendmsg\\(.*<([0-9.]+)>");

  /** What runs on the gateway while iperf3 does. */
  private enum State {
    /** The agent is stopped, and there are no rules of ours: as if it were not installed. */
    WITHOUT,
    OFF,
    ON
  }

  @Override
  public String about() {
    return "applying 1,000 firewall rules; forwarding through a NAT gateway with the firewall off"
        + " and on";
  }

  @Override
  public void run(Path repository, Report report) throws Exception {
    Path directory = Files.createTempDirectory("towline-bench-");
    try (var lab = new GatewayLab(NETWORK);
        var fleet =
            new ProcessFleet(repository, directory, new LoopbackAddresses(NETWORK), List.of())) {
      apply(lab, directory, report);
      fleet.startManager();
      Program agent = agent(lab, fleet, repository, directory);
      try {
        fleet.awaitOnline(1, Duration.ofSeconds(60));
        forward(lab, agent, new FirewallOrders(fleet.admin(), "gateway"), report);
      } finally {
        agent.stop();
      }
    } finally {
      ProcessFleet.deleteTree(directory);
    }
  }

  private static Program agent(
      GatewayLab lab, ProcessFleet fleet, Path repository, Path directory) {
    Path enrollment =
        fleet.writeEnrollment(
            "gateway",
            CreateInstallCommandRequest.newBuilder()
                .setOs("linux")
                .setGroup("bench")
                .setExpiresInMs(Duration.ofHours(1).toMillis())
                .setMaxUses(1));
    return new Program(
            "gateway",
            lab.onGateway(
                repository.toAbsolutePath().resolve("bin/towline-agent").toString(),
                "run",
                "--data",
                directory.resolve("gateway").toString(),
                "--name",
                "gateway",
                "--enrollment",
                enrollment.toString()),
            Map.of(),
            directory.resolve("gateway.log"))
        .start();
  }

  private static String rules() {
    var text = new StringBuilder("rules:\n");
    for (int i = 0; i < RULES; i++) {
      text.append(
          ("  - {name: rule %d, action: allow, direction: incoming, protocol: tcp, source-ip:"
                  + " [10.%d.%d.0/24, 172.16.%d.7], destination-port: [%d, %d-%d]}%n")
              .formatted(i, 100 + i / 250, i % 250, i % 250, 1_000 + i, 20_000 + i, 20_010 + i));
    }
    return text.toString();
  }

  /** From the rules as text to the end of nft, and what of it the kernel took. */
  private static void apply(GatewayLab lab, Path directory, Report report) throws Exception {
    FirewallRules rules = FirewallDocument.parse(rules());
    Path file = directory.resolve("rules.nft");
    Samples all = new Samples();
    Samples kernel = new Samples();
    for (int i = 0; i < APPLIED; i++) {
      long from = System.nanoTime();
      String text = NftText.of(rules, List.of(), EnumSet.of(NftText.Family.INET));
      GatewayLab.run(lab.onGateway("nft", "-f", "-"), text);
      all.addNanos(System.nanoTime() - from);
      Files.writeString(file, text);
      String traced =
          GatewayLab.run(
              lab.onGateway("strace", "-T", "-e", "trace=sendmsg", "nft", "-f", file.toString()),
              "");
      kernel.addNanos((long) (1e9 * seconds(traced)));
    }
    report.note(
        ("applying %d rules, %d times: p50 %.1f ms, p99 %.1f ms;"
                + " in the kernel p50 %.1f ms, p99 %.1f ms")
            .formatted(
                RULES,
                APPLIED,
                all.percentile(50),
                all.percentile(99),
                kernel.percentile(50),
                kernel.percentile(99)));
    report.add(Figure.atMost("firewall.apply1000_ms", all.percentile(50), "ms", 100));
    report.add(Figure.atMost("firewall.apply1000_kernel_ms", kernel.percentile(50), "ms", 20));
    GatewayLab.run(lab.onGateway("nft", "delete", "table", "inet", "towline"), "");
  }

  private static double seconds(String traced) {
    Matcher sent = SENT.matcher(traced);
    double seconds = 0;
    while (sent.find()) {
      seconds += Double.parseDouble(sent.group(1));
    }
    return seconds;
  }

  private static void forward(GatewayLab lab, Program agent, FirewallOrders gateway, Report report)
      throws Exception {
    Map<State, List<Double>> rates = new EnumMap<>(State.class);
    List<Double> off = new ArrayList<>();
    List<Double> on = new ArrayList<>();
    rate(lab);
    for (int round = 0; round < ROUNDS; round++) {
      Map<State, Double> measured = new EnumMap<>(State.class);
      for (int turn = 0; turn < State.values().length; turn++) {
        // Each state comes first, second and last as often.
        State state = State.values()[(round + turn) % State.values().length];
        gateway.give(
            state == State.ON
                ? ControlFirewall.newBuilder().setOrder(Order.SET).setRules(rules()).build()
                : ControlFirewall.newBuilder().setOrder(Order.OFF).build());
        if (state == State.WITHOUT) {
          signal("STOP", agent);
        }
        measured.put(state, rate(lab));
        signal("CONT", agent);
      }
      measured.forEach(
          (state, rate) -> rates.computeIfAbsent(state, _ -> new ArrayList<>()).add(rate));
      off.add(measured.get(State.OFF) / measured.get(State.WITHOUT));
      on.add(measured.get(State.ON) / measured.get(State.WITHOUT));
    }
    rates.forEach((state, values) ->
        report.note("forwarding, %s, Gbit/s: %s".formatted(state, rounded(values))));
    report.note("ratios of each round, off: " + rounded(off) + ", on: " + rounded(on));
    report.add(
        new Figure("firewall.forward.off_ratio", Samples.median(off), "", 0.98, false, "without"));
    report.add(
        new Figure(
            "firewall.forward.on1000_ratio", Samples.median(on), "", 0.95, false, "without"));
  }

  private static List<String> rounded(List<Double> values) {
    return values.stream().map(value -> "%.3f".formatted(value)).toList();
  }

  private static double rate(GatewayLab lab) throws Exception {
    // Each end stays on a core of its own: moving about costs more than what is measured.
    String answer =
        GatewayLab.run(
            lab.onClient(
                "iperf3", "-c", GatewayLab.SERVER, "-A", "0,1", "-t", "4", "-O", "1", "-J"),
            "");
    Matcher bits = BITS.matcher(answer);
    if (!bits.find()) {
      throw new IllegalStateException("iperf3 said: " + answer);
    }
    return Double.parseDouble(bits.group(1)) / 1e9;
  }

  private static void signal(String signal, Program program) throws Exception {
    // Every launcher on the way became the next program, so it is the agent's own process.
    GatewayLab.run(List.of("kill", "-" + signal, "" + program.pid()), "");
  }
}
