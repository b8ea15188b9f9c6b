package dev.towline.it.topology;

/**
 * A named arrangement of networks and hosts.
 *
 * <p>Lifecycle: {@link #up()} once, {@link #start()} once where the programs are wanted, then
 * {@link #close()}; a topology that failed to come up has been taken down again, one whose programs
 * failed to start stays up to be looked at. Closing one that was never up does nothing.
 */
public interface Topology extends AutoCloseable {
  /** What {@code bin/topology} calls it. */
  String name();

  /** One sentence on what it is for. */
  String purpose();

  /** Brings it up and leaves when every host has its network. */
  void up();

  /** Installs and starts the programs of a topology that is up, as an operator would. */
  void start();

  /** The fleet of a topology that has been started. */
  Fleet fleet();

  /** Hosts, addresses and what may reach what, of a topology that is up. */
  String describe();

  /** Takes everything down. */
  @Override
  void close();
}
