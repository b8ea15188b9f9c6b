package dev.towline.it.fleet;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Network namespaces with one interface each, joined by a bridge that this machine is on too. Needs
 * root. Segmentation offload is off, so that what an interface counts is what a wire would carry.
 */
public final class Namespaces implements AutoCloseable {
  private static final String TABLE = "towline_it";

  private final String name;
  private final String prefix;
  private final List<String> spaces = new ArrayList<>();

  /**
   * @param prefix of the addresses, for instance {@code 10.1.2.}; this machine has the first one
   */
  public Namespaces(String name, String prefix) throws IOException {
    this.name = name;
    this.prefix = prefix;
    run("ip", "link", "add", name, "type", "bridge");
    run("ip", "address", "add", prefix + "1/24", "dev", name);
    run("ip", "link", "set", name, "up");
  }

  /** One more address of this machine's own. */
  public void alias(int address) throws IOException {
    run("ip", "address", "add", prefix + address + "/24", "dev", name);
  }

  /** Adds one with this address. */
  public String add(int address) throws IOException {
    String space = name + "n" + address;
    String outside = name + "v" + address;
    run("ip", "netns", "add", space);
    spaces.add(space);
    run(
        "ip",
        "link",
        "add",
        outside,
        "gso_max_segs",
        "1",
        "type",
        "veth",
        "peer",
        "name",
        "up0",
        "gso_max_segs",
        "1",
        "netns",
        space);
    run("ip", "link", "set", outside, "master", name, "up");
    run("ip", "-n", space, "address", "add", prefix + address + "/24", "dev", "up0");
    run("ip", "-n", space, "link", "set", "up0", "up");
    run("ip", "-n", space, "link", "set", "lo", "up");
    return space;
  }

  /** From now on counts what leaves by the interface for this port of this machine. */
  public void count(String space, int port) throws IOException {
    nft(space, "add table netdev " + TABLE);
    nft(
        space,
        "add chain netdev " + TABLE + " out { type filter hook egress device up0 priority 0; }");
    nft(
        space,
        "add rule netdev "
            + TABLE
            + " out ip daddr "
            + prefix
            + "1 tcp dport "
            + port
            + " counter");
  }

  /** Bytes so far, headers of Ethernet, IP and TCP included. */
  public long counted(String space) throws IOException {
    Matcher counter =
        Pattern.compile("bytes (\\d+)").matcher(nft(space, "list table netdev " + TABLE));
    if (!counter.find()) {
      throw new IOException("no counter in " + space);
    }
    return Long.parseLong(counter.group(1));
  }

  private static String nft(String space, String command) throws IOException {
    return run("ip", "netns", "exec", space, "nft", command);
  }

  @Override
  public void close() throws IOException {
    for (String space : spaces) {
      run("ip", "netns", "delete", space);
    }
    run("ip", "link", "delete", name);
  }

  private static String run(String... command) throws IOException {
    List<String> words = new ArrayList<>();
    Collections.addAll(words, command);
    Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (process.waitFor() != 0) {
        throw new IOException(String.join(" ", words) + ": " + output);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    return output;
  }
}
