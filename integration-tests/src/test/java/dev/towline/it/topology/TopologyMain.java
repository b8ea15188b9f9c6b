package dev.towline.it.topology;

import com.github.dockerjava.api.model.Container;
import com.github.dockerjava.api.model.ContainerNetwork;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** The Java half of {@code bin/topology}: topologies that stay up. */
final class TopologyMain {
  private static final Function<String, Lab> KEPT = Lab::openKept;
  private static final Duration NOTE_LIMIT = Duration.ofSeconds(10);

  /** In the order in which they are listed. */
  private static final List<Supplier<Topology>> ALL =
      List.of(
          () -> new Direct(2, KEPT),
          () -> new ProxyCluster(2, 3, KEPT),
          () -> new DmzPair(2, KEPT),
          () -> new NatGateway(KEPT));

  private TopologyMain() {}

  public static void main(String[] arguments) {
    int status;
    try {
      status = run(List.of(arguments), System.out, System.err);
    } catch (IllegalStateException | IllegalArgumentException | AssertionError e) {
      System.err.println("towline: " + e.getMessage());
      if (e.getCause() != null) {
        System.err.println("towline: " + e.getCause().getMessage());
      }
      status = 1;
    }
    // Not exit: Testcontainers would take down what it started.
    System.out.flush();
    Runtime.getRuntime().halt(status);
  }

  private static int run(List<String> arguments, PrintStream out, PrintStream err) {
    String command = arguments.isEmpty() ? "" : arguments.getFirst();
    String name = arguments.size() > 1 ? arguments.get(1) : "";
    switch (command) {
      case "list" -> list(out);
      case "up" -> {
        Topology topology = named(name);
        topology.up();
        out.println(topology.describe());
        out.println("installing and starting the programs");
        topology.start();
        out.println(topology.describe());
        out.println("take it down with: bin/topology down " + name);
      }
      case "describe" -> describe(name, out);
      case "down" -> out.println(Lab.removeKept(name) + " hosts taken down");
      default -> {
        err.println("usage: bin/topology list | up NAME | describe NAME | down [NAME]");
        return 2;
      }
    }
    return 0;
  }

  private static void list(PrintStream out) {
    Map<String, List<Container>> up = Lab.kept();
    for (Supplier<Topology> each : ALL) {
      Topology topology = each.get();
      int hosts = up.getOrDefault(topology.name(), List.of()).size();
      out.printf(
          "%-14s %-10s %s%n",
          topology.name(), hosts == 0 ? "-" : hosts + " hosts", topology.purpose());
    }
  }

  /** From what docker knows: the process that brought it up has ended. */
  private static void describe(String name, PrintStream out) {
    List<Container> containers = Lab.kept().get(named(name).name());
    if (containers == null) {
      throw new IllegalStateException(
          name + " is not up; bring it up with: bin/topology up " + name);
    }
    var lines = new TreeMap<String, String>();
    for (Container container : containers) {
      Map<String, ContainerNetwork> networks =
          Objects.requireNonNull(container.getNetworkSettings()).getNetworks();
      String legs =
          networks.entrySet().stream()
              .map(n -> n.getKey() + " " + n.getValue().getIpAddress())
              .sorted()
              .collect(Collectors.joining(", "));
      String host = container.getLabels().get(Lab.HOST_LABEL);
      lines.put(
          host,
          Lab.line(
              host, "docker exec -it " + container.getNames()[0].substring(1) + " bash", legs));
    }
    lines.values().forEach(out::print);
    containers.stream()
        .filter(c -> "manager".equals(c.getLabels().get(Lab.HOST_LABEL)))
        .map(c -> RootShell.paste(c.getNames()[0].substring(1), "cat " + Fleet.NOTE, NOTE_LIMIT))
        .forEach(note -> out.print(note.ok() ? "\n" + note.out() : "\nno programs are running\n"));
  }

  private static Topology named(String name) {
    List<Topology> all = ALL.stream().map(Supplier::get).toList();
    return all.stream()
        .filter(t -> t.name().equals(name))
        .findFirst()
        .orElseThrow(() ->
            new IllegalArgumentException(
                "topology: '%s' (expected: %s)"
                    .formatted(
                        name, all.stream().map(Topology::name).collect(Collectors.joining(", ")))));
  }
}
