package dev.towline.it.topology;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.exception.NotFoundException;
import com.github.dockerjava.api.model.Container;
import com.github.dockerjava.api.model.Network;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.utility.DockerImageName;

/**
 * The networks and hosts of one topology that is up.
 *
 * <p>Lifecycle: everything made here carries labels (topology, run, host) and {@link #close()}
 * removes it by them. Opening a lab first removes what runs that have ended left behind; a lab that
 * is kept belongs to no run and is removed by {@link #removeKept} only.
 *
 * <p>Threading: hosts may be added from several threads.
 *
 * <p>Failure: a lab whose construction fails half way has to be closed like any other.
 */
public final class Lab implements AutoCloseable {
  static final String TOPOLOGY_LABEL = "towline-topology";
  static final String RUN_LABEL = "towline-run";
  static final String HOST_LABEL = "towline-host";
  private static final String PREFIX_LABEL = "towline-lab";

  /** The value of {@link #RUN_LABEL} in a lab that outlives its process. */
  private static final String KEPT = "kept";

  private final String topology;
  private final String run;
  private final String prefix;
  private final Map<String, Segment> segments = new LinkedHashMap<>();
  private final Map<String, Host> hosts = new LinkedHashMap<>();
  private final Set<String> clonedDisks = ConcurrentHashMap.newKeySet();

  private Lab(String topology, String run, String prefix) {
    this.topology = topology;
    this.run = run;
    this.prefix = prefix;
  }

  /** A lab that lives until it is closed, or swept after this process has ended. */
  public static Lab open(String topology) {
    sweep();
    Run run = Run.current();
    String unique = Long.toString(System.nanoTime() & 0xff_ffff, 36);
    return new Lab(topology, run.label(), "towline-" + run.pid() + "-" + unique + "-");
  }

  /** A lab that stays up when this process has ended. There is one per topology. */
  public static Lab openKept(String topology) {
    sweep();
    if (!containers(kept(topology)).isEmpty()) {
      throw new IllegalStateException(
          topology + " is already up; take it down first with: bin/topology down " + topology);
    }
    return new Lab(topology, KEPT, "towline-" + topology + "-");
  }

  /** Removes kept labs, of one topology or of all when the name is empty. */
  static int removeKept(String topology) {
    return remove(kept(topology));
  }

  /** Removes what runs that have ended left behind. */
  static int sweep() {
    return remove(labels -> {
      String run = labels.get(RUN_LABEL);
      return run != null && !run.equals(KEPT) && Run.parse(run).isOver();
    });
  }

  /** The containers of kept labs, by topology. */
  static Map<String, List<Container>> kept() {
    var found = new HashMap<String, List<Container>>();
    for (Container container : containers(kept(""))) {
      found
          .computeIfAbsent(container.getLabels().get(TOPOLOGY_LABEL), _ -> new ArrayList<>())
          .add(container);
    }
    return found;
  }

  /**
   * A network whose hosts also have a way out, unless they are given another default route. Docker
   * isolates it from its other networks, but filters nothing between two containers on it.
   */
  public Segment segment(String name) {
    return createSegment(name, false);
  }

  /**
   * A network with no route out. A router container can't give it one either: docker drops packets
   * on it whose other end is outside its subnet.
   */
  public Segment sealedSegment(String name) {
    return createSegment(name, true);
  }

  /** Starts a host with a leg on each of these segments, in this order. */
  public Host host(String name, Image image, Segment... legs) {
    return host(name, image, List.of(), Map.of(), legs);
  }

  /** Starts a host that answers to a further name, which other hosts may share. */
  public Host host(String name, Image image, String otherName, Segment... legs) {
    return host(name, image, List.of(otherName), Map.of(), legs);
  }

  /** Starts a host from a copy of another one's disk, as a clone of its image. */
  public Host cloned(String name, Host original, Segment... legs) {
    String disk = "towline-test/" + prefix + "clone-of-" + original.name();
    if (clonedDisks.add(disk)) {
      var _ =
          docker()
              .commitCmd(original.containerName())
              .withRepository(disk)
              .withTag("latest")
              .withLabels(labels())
              .exec();
    }
    var labels = new HashMap<>(labels());
    labels.put(HOST_LABEL, name);
    Host host =
        Host.start(
            List.of(name),
            prefix + name,
            original.image(),
            DockerImageName.parse(disk),
            labels,
            Map.of(),
            List.of(legs));
    synchronized (hosts) {
      hosts.put(name, host);
    }
    return host;
  }

  /** Starts a host that forwards packets between its legs. It has no way out of its own. */
  public Host router(String name, Segment... legs) {
    return router(name, Image.BASE, legs);
  }

  /** The same from another image. */
  public Host router(String name, Image image, Segment... legs) {
    Host router = host(name, image, List.of(), Map.of("net.ipv4.ip_forward", "1"), legs);
    router.dropDefaultRoute();
    return router;
  }

  /** Runs these steps at the same time, and returns when all have ended. */
  public void together(Collection<Runnable> steps) {
    try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> running = new ArrayList<>();
      for (Runnable step : steps) {
        running.add(executor.submit(step));
      }
      for (Future<?> step : running) {
        step.get();
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException(topology + ": a host could not be brought up", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(topology + ": interrupted while coming up", e);
    }
  }

  public Host host(String name) {
    synchronized (hosts) {
      Host host = hosts.get(name);
      if (host == null) {
        throw new IllegalArgumentException("host: " + name + " (expected: " + hosts.keySet() + ")");
      }
      return host;
    }
  }

  public List<Host> hosts(List<String> names) {
    return names.stream().map(this::host).toList();
  }

  public List<Host> hosts() {
    synchronized (hosts) {
      return List.copyOf(hosts.values());
    }
  }

  Segment segmentNamed(String name) {
    return Objects.requireNonNull(segments.get(name), name);
  }

  /** A table of hosts and addresses, for a person. */
  public String describe() {
    var text = new StringBuilder(topology).append('\n');
    segments.values().forEach(s -> text.append(line("network", s.name(), s.subnet())));
    for (Host host : hosts().stream().sorted(Comparator.comparing(Host::name)).toList()) {
      var legs = new ArrayList<String>();
      for (Segment segment : host.legs()) {
        legs.add(segment.name() + " " + host.address(segment));
      }
      text.append(line("host", host.name(), String.join(", ", legs)));
    }
    return text.toString();
  }

  static String line(String kind, String name, String detail) {
    return String.format(Locale.ROOT, "  %-8s %-16s %s%n", kind, name, detail);
  }

  @Override
  public void close() {
    remove(labels ->
        topology.equals(labels.get(TOPOLOGY_LABEL))
            && run.equals(labels.get(RUN_LABEL))
            && prefix.equals(labels.get(PREFIX_LABEL)));
    clonedDisks.forEach(
        disk -> ignoreMissing(() -> docker().removeImageCmd(disk).withForce(true).exec()));
  }

  /** What closing removes a container by, also one that was started elsewhere. */
  Map<String, String> labels() {
    return Map.of(TOPOLOGY_LABEL, topology, RUN_LABEL, run, PREFIX_LABEL, prefix);
  }

  private Segment createSegment(String name, boolean internal) {
    String id =
        docker()
            .createNetworkCmd()
            .withName(prefix + name)
            .withInternal(internal)
            .withLabels(labels())
            .exec()
            .getId();
    String subnet =
        docker()
            .inspectNetworkCmd()
            .withNetworkId(id)
            .exec()
            .getIpam()
            .getConfig()
            .getFirst()
            .getSubnet();
    var segment = new Segment(name, id, subnet);
    segments.put(name, segment);
    return segment;
  }

  private Host host(
      String name,
      Image image,
      List<String> otherNames,
      Map<String, String> sysctls,
      Segment... legs) {
    var labels = new HashMap<>(labels());
    labels.put(HOST_LABEL, name);
    var names = new ArrayList<>(List.of(name));
    names.addAll(otherNames);
    Host host =
        Host.start(names, prefix + name, image, image.dockerName(), labels, sysctls, List.of(legs));
    synchronized (hosts) {
      hosts.put(name, host);
    }
    return host;
  }

  static DockerClient docker() {
    return DockerClientFactory.lazyClient();
  }

  private static Predicate<Map<String, String>> kept(String topology) {
    return labels ->
        KEPT.equals(labels.get(RUN_LABEL))
            && (topology.isEmpty() || topology.equals(labels.get(TOPOLOGY_LABEL)));
  }

  private static List<Container> containers(Predicate<Map<String, String>> which) {
    return docker()
        .listContainersCmd()
        .withShowAll(true)
        .withLabelFilter(List.of(TOPOLOGY_LABEL))
        .exec()
        .stream()
        .filter(c -> which.test(c.getLabels()))
        .toList();
  }

  private static int remove(Predicate<Map<String, String>> which) {
    Collection<Container> containers = containers(which);
    containers.parallelStream().forEach(c -> ignoreMissing(() -> removeContainer(c.getId())));
    for (Network network :
        docker().listNetworksCmd().withFilter("label", List.of(TOPOLOGY_LABEL)).exec()) {
      if (which.test(network.getLabels())) {
        ignoreMissing(() -> docker().removeNetworkCmd(network.getId()).exec());
      }
    }
    return containers.size();
  }

  private static void removeContainer(String id) {
    docker().removeContainerCmd(id).withForce(true).withRemoveVolumes(true).exec();
  }

  /** Another process may sweep the same leftovers at this moment. */
  private static void ignoreMissing(Runnable removal) {
    try {
      removal.run();
    } catch (NotFoundException _) {
      return;
    }
  }
}
