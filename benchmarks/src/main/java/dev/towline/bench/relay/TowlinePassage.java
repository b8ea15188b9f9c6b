package dev.towline.bench.relay;

import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.testing.FreePorts;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;

/**
 * A parent and a child as they are installed, paired by the manager. The sink stands where the
 * parent's settings say the manager's downloads are: a child can name no other address.
 */
record TowlinePassage(InetSocketAddress entry, Program parent, Program child) implements Passage {
  @Override
  public String name() {
    return "towline";
  }

  @Override
  public Duration processorTime() throws IOException {
    return Processes.processorTime(List.of(parent, child));
  }

  /** Of the larger of the two. */
  double residentMib() throws IOException {
    return Math.max(parent.residentKib(), child.residentKib()) / 1024.0;
  }

  /** Of both. */
  long descriptors() throws IOException {
    return Processes.descriptors(parent) + Processes.descriptors(child);
  }

  /** The fleet ends its programs. */
  @Override
  public void close() {}

  static TowlinePassage start(
      ProcessFleet fleet, Program parent, String name, String dial, InetSocketAddress listen)
      throws IOException {
    String host = listen.getHostString();
    Program child =
        fleet.startChildRelay(
            parent.name(),
            name,
            dial,
            host,
            List.of(
                "--listen",
                Peers.text(listen),
                "--loopback-port",
                Integer.toString(FreePorts.next())));
    return new TowlinePassage(new InetSocketAddress(host, 8443), parent, child);
  }
}
