package dev.towline.it.topology;

import dev.towline.proto.v1.CreatedInstallCommand;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** What the topologies share: a lab while they are up. */
abstract class AbstractTopology implements Topology {
  private final String name;
  private final String purpose;
  private final Function<String, Lab> labs;
  private @Nullable Lab lab;
  private @Nullable Fleet fleet;

  AbstractTopology(String name, String purpose, Function<String, Lab> labs) {
    this.name = name;
    this.purpose = purpose;
    this.labs = labs;
  }

  /** Makes the networks and hosts in an empty lab. */
  abstract void build(Lab lab);

  /** Installs and starts all but the manager, which runs. */
  abstract void install(Fleet fleet);

  /** The host of the manager. */
  public final Host manager() {
    return lab().host("manager");
  }

  @Override
  public final String name() {
    return name;
  }

  @Override
  public final String purpose() {
    return purpose;
  }

  @Override
  public final void up() {
    if (lab != null) {
      throw new IllegalStateException(name + " is already up");
    }
    Lab opened = labs.apply(name);
    try {
      build(opened);
      lab = opened;
    } finally {
      if (lab == null) {
        opened.close();
      }
    }
  }

  @Override
  public final void start() {
    if (fleet != null) {
      throw new IllegalStateException(name + " has been started");
    }
    Fleet started = Fleet.start(manager(), "--heartbeat-interval", "5s");
    install(started);
    fleet = started;
  }

  @Override
  public final Fleet fleet() {
    if (fleet == null) {
      throw new IllegalStateException(name + " has not been started");
    }
    return fleet;
  }

  @Override
  public final String describe() {
    String note = fleet == null ? "" : "\n" + manager().read(Fleet.NOTE);
    return purpose + "\n" + lab().describe() + note;
  }

  @Override
  public final void close() {
    if (lab != null) {
      lab.close();
      lab = null;
      fleet = null;
    }
  }

  final Lab lab() {
    if (lab == null) {
      throw new IllegalStateException(name + " is not up");
    }
    return lab;
  }

  /** Pastes an install command on hosts, on all at the same time. */
  final void installAll(Fleet started, CreatedInstallCommand command, List<Host> hosts) {
    lab()
        .together(
            hosts.stream().<Runnable>map(host -> () -> started.install(command, host)).toList());
  }

  /** Agents get hosts with nothing but one tool to download, in turns. */
  static Image agentImage(String agent) {
    return agent.endsWith("1") || agent.endsWith("3") ? Image.CURL_ONLY : Image.WGET_ONLY;
  }

  /** Names of hosts of a kind: {@code agent-1}, {@code agent-2} and so on. */
  static List<String> numbered(String kind, int count) {
    return IntStream.rangeClosed(1, count).mapToObj(i -> kind + "-" + i).toList();
  }
}
