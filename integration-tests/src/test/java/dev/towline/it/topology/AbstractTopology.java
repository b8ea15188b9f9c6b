package dev.towline.it.topology;

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

  AbstractTopology(String name, String purpose, Function<String, Lab> labs) {
    this.name = name;
    this.purpose = purpose;
    this.labs = labs;
  }

  /** Makes the networks and hosts in an empty lab. */
  abstract void build(Lab lab);

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
  public final String describe() {
    return purpose + "\n" + lab().describe();
  }

  @Override
  public final void close() {
    if (lab != null) {
      lab.close();
      lab = null;
    }
  }

  final Lab lab() {
    if (lab == null) {
      throw new IllegalStateException(name + " is not up");
    }
    return lab;
  }

  /** Names of hosts of a kind: {@code agent-1}, {@code agent-2} and so on. */
  static List<String> numbered(String kind, int count) {
    return IntStream.rangeClosed(1, count).mapToObj(i -> kind + "-" + i).toList();
  }
}
