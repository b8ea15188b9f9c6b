package dev.towline.agent.firewall;

import dev.towline.runtime.firewall.Namespace;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A client network, a NAT host with rules of others, and a server outside that knows no way back to
 * the client but the translated one; three network namespaces with real rules.
 *
 * <p>On port 9000 the server stands for the manager.
 */
final class NatGateway implements AutoCloseable {
  static final String SERVER = "198.51.100.2";
  static final int MANAGER = 9_000;
  private static final int WEB = 8_000;
  private static final String FOREIGN =
      """
      table inet others {
        set banned { type ipv4_addr; elements = { 203.0.113.66 }; }
        chain input {
          type filter hook input priority 0; policy accept;
          ip saddr @banned counter drop
        }
        chain forward {
          type filter hook forward priority 0; policy drop;
          ct state established,related counter accept
          iifname "inside" counter accept
        }
      }
      """;

  final Namespace client;
  final Namespace gateway;
  final Namespace outside;
  private final List<Process> processes = new ArrayList<>();

  private NatGateway() throws IOException, InterruptedException {
    client = Namespace.open();
    gateway = Namespace.open();
    outside = Namespace.open();
  }

  static NatGateway open(Path root) throws Exception {
    // Needs root; fails where it can't be had.
    var opened = new NatGateway();
    opened.build();
    Files.createDirectories(root.resolve("sys/class/net/inside"));
    return opened;
  }

  private void build() throws Exception {
    wire(gateway, "inside", "10.1.0.1/24", client, "10.1.0.2/24");
    wire(gateway, "wan", "198.51.100.1/24", outside, SERVER + "/24");
    sh(client, "ip route add default via 10.1.0.1");
    sh(gateway, "echo 1 >/proc/sys/net/ipv4/ip_forward");
    sh(gateway, "iptables-nft -t nat -A POSTROUTING -o wan -s 10.1.0.0/24 -j MASQUERADE");
    sh(
        gateway,
        "iptables-nft -t nat -A PREROUTING -i wan -p tcp --dport 8080 -j DNAT --to 10.1.0.2:80");
    sh(gateway, "iptables-nft -N f2b-sshd");
    sh(gateway, "iptables-nft -A f2b-sshd -s 203.0.113.67 -j REJECT");
    sh(gateway, "iptables-nft -A INPUT -p tcp --dport 22 -j f2b-sshd");
    sh(gateway, "ip6tables-nft -A FORWARD -p icmpv6 -j ACCEPT");
    sh(gateway, "iptables-legacy -A OUTPUT -d 203.0.113.68 -j DROP");
    gateway.run(FOREIGN, "nft", "-f", "-");
    start(outside, "serve", "" + WEB, "" + MANAGER);
  }

  /** Everything that others have, counters left out. */
  String foreign() throws Exception {
    return sh(
            gateway,
            "nft -s list ruleset | sed '/^table [a-z]* towline {/,/^}/d'; iptables-nft-save;"
                + " ip6tables-nft-save; iptables-legacy-save; ip6tables-legacy-save; cat"
                + " /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding")
        .replaceAll("\\[\\d+:\\d+\\]", "")
        .replaceAll("(?m)^#.*$", "");
  }

  /** What iptables and its like have, but our chains and what leads there. */
  String foreignIptables() throws Exception {
    return saved("grep -v TOWLINE-");
  }

  /** Our chains there and what leads to them. */
  String ownIptables() throws Exception {
    return saved("grep TOWLINE- || true");
  }

  private String saved(String filter) throws Exception {
    return sh(
            gateway,
            "{ iptables-nft-save; ip6tables-nft-save; iptables-legacy-save; ip6tables-legacy-save;"
                + " } 2>/dev/null | grep -v '^#' | "
                + filter)
        .replaceAll("\\[\\d+:\\d+\\]", "");
  }

  /** Our tables as nft lists them. */
  String own() throws Exception {
    return sh(
        gateway,
        "for f in inet arp netdev; do nft -s list table $f towline 2>/dev/null || true; done");
  }

  /** Requests of the client through the gateway, one after the other, until its input ends. */
  Process ask() throws Exception {
    return start(client, "ask", SERVER, "" + WEB);
  }

  boolean managerAnswers(Duration limit) throws IOException, InterruptedException {
    return commands()
        .run(
            "timeout",
            limit.toMillis() / 1000.0 + "s",
            "bash",
            "-c",
            "exec 3<>/dev/tcp/%s/%d; read -rn1 -u3 a; test \"$a\" = y".formatted(SERVER, MANAGER))
        .ok();
  }

  /** Programs on the gateway. */
  HostCommands commands() {
    return (input, command) -> {
      List<String> within = new ArrayList<>(List.of("nsenter", "-t", "" + gateway.pid(), "-n"));
      within.addAll(command);
      return HostCommands.real().run(input, within);
    };
  }

  String sh(Namespace where, String script) throws IOException, InterruptedException {
    return where.run("", "sh", "-c", script);
  }

  private Process start(Namespace where, String... arguments) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                ProcessHandle.current().info().command().orElse("java"),
                "-XX:TieredStopAtLevel=1",
                "-Xmx32m",
                "-cp",
                Path.of(
                        TrafficMain.class
                            .getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .toString(),
                TrafficMain.class.getName()));
    command.addAll(List.of(arguments));
    Process process = where.start(command.toArray(String[]::new));
    processes.add(process);
    String line = process.inputReader(StandardCharsets.UTF_8).readLine();
    if (!"ready".equals(line)) {
      throw new IOException(String.join(" ", arguments) + ": " + line);
    }
    return process;
  }

  private void wire(Namespace near, String name, String address, Namespace far, String farAddress)
      throws Exception {
    near.run(
        "",
        "ip",
        "link",
        "add",
        name,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        "" + far.pid());
    sh(near, "ip address add %s dev %s; ip link set %s up".formatted(address, name, name));
    sh(far, "ip address add %s dev eth0; ip link set eth0 up".formatted(farAddress));
  }

  @Override
  public void close() {
    processes.forEach(Process::destroyForcibly);
    client.close();
    gateway.close();
    outside.close();
  }
}
