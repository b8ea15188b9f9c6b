package dev.towline.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A client, a NAT gateway and a server, each a network namespace, and a wire from the gateway to
 * this host. Needs root. Closing it ends every process that was started in it.
 */
final class GatewayLab implements AutoCloseable {
  static final String SERVER = "198.51.100.2";
  private static final String SCRIPT =
      """
      set -eu
      ip link add lan netns %2$d type veth peer name eth0 netns %1$d
      ip link add wan netns %2$d type veth peer name eth0 netns %3$d
      ip link add tlbench0 type veth peer name manager netns %2$d
      ip address add %4$s1/24 dev tlbench0
      ip link set tlbench0 up
      within() { nsenter -t "$@"; }
      within %1$d -n sh -ec 'ip address add 10.1.0.2/24 dev eth0; ip link set eth0 up; ip link set lo up;
        ip route add default via 10.1.0.1'
      within %3$d -n sh -ec 'ip address add 198.51.100.2/24 dev eth0; ip link set eth0 up; ip link set lo up'
      within %2$d -n sh -ec 'ip address add 10.1.0.1/24 dev lan; ip link set lan up; ip link set lo up;
        ip address add 198.51.100.1/24 dev wan; ip link set wan up;
        ip address add %4$s2/24 dev manager; ip link set manager up;
        echo 1 >/proc/sys/net/ipv4/ip_forward;
        iptables-nft -t nat -A POSTROUTING -o wan -s 10.1.0.0/24 -j MASQUERADE'
      """;

  private final Process client;
  private final Process gateway;
  private final Process server;

  /**
   * @param prefix of the addresses between this host, which gets number 1, and the gateway
   */
  GatewayLab(String prefix) throws IOException, InterruptedException {
    client = namespace();
    gateway = namespace();
    server = namespace();
    String script = SCRIPT.formatted(client.pid(), gateway.pid(), server.pid(), prefix);
    boolean isBuilt = false;
    try {
      run(List.of("sh", "-c", script), "");
      start(server, List.of("iperf3", "-s"));
      isBuilt = true;
    } finally {
      if (!isBuilt) {
        close();
      }
    }
  }

  /** What runs a command on the gateway. */
  List<String> onGateway(String... command) {
    return within(gateway, List.of(command));
  }

  /** What runs a command on the client. */
  List<String> onClient(String... command) {
    return within(client, List.of(command));
  }

  static String run(List<String> command, String input) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try (var in = process.getOutputStream()) {
      in.write(input.getBytes(StandardCharsets.UTF_8));
    }
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IllegalStateException(String.join(" ", command) + " failed: " + output);
    }
    return output;
  }

  private static void start(Process namespace, List<String> command) throws IOException {
    // It ends with the namespace's first process, which is its parent's.
    var _ =
        new ProcessBuilder(within(namespace, command))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
  }

  private static Process namespace() throws IOException {
    Process holder =
        new ProcessBuilder("unshare", "-n", "sh", "-c", "echo ready; exec sleep 1200")
            .redirectErrorStream(true)
            .start();
    String line = holder.inputReader(StandardCharsets.UTF_8).readLine();
    if (!"ready".equals(line)) {
      throw new IllegalStateException("no network namespace (needs root): " + line);
    }
    return holder;
  }

  private static List<String> within(Process namespace, List<String> command) {
    var all = new ArrayList<>(List.of("nsenter", "-t", "" + namespace.pid(), "-n"));
    all.addAll(command);
    return all;
  }

  @Override
  public void close() {
    ProcessHandle.current()
        .descendants()
        .filter(p -> p.info().command().orElse("").endsWith("/iperf3"))
        .forEach(ProcessHandle::destroy);
    List.of(client, gateway, server).forEach(Process::destroy);
  }
}
