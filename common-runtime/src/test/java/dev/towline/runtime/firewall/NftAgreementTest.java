package dev.towline.runtime.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.firewall.FirewallRule.Action;
import dev.towline.runtime.firewall.FirewallRule.Direction;
import dev.towline.runtime.firewall.FirewallRule.Frame;
import dev.towline.testing.Requirement;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * What {@code firewall test} predicts is what the kernel does: random rule sets in a namespace,
 * packets between two of them, and a table behind ours that notes what came through.
 */
final class NftAgreementTest {
  private static final boolean LONG = Boolean.getBoolean("towline.long");
  private static final int POLICIES =
      Integer.getInteger("towline.firewall.policies", LONG ? 1_000 : 60);
  private static final Duration LATE = Duration.ofSeconds(60);
  private static final String HOST_MAC = "02:00:00:00:00:01";
  private static final String PEER_MAC = "02:00:00:00:00:02";
  private static final List<String> HOST = List.of("10.9.0.1", "10.9.0.2", "fd09::1");
  private static final List<String> PEER = List.of("10.9.0.101", "10.9.0.102", "fd09::101");
  private static final List<Integer> PORTS = List.of(22, 80, 443, 7118);
  private static final List<Integer> FROM_PORTS = List.of(40_000, 40_001);
  private static final String NOTES =
      """
      table inet notes {
        set v4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service; flags dynamic; size 65535; }
        set v6 { type ipv6_addr . ipv6_addr . inet_proto . inet_service . inet_service; flags dynamic; size 65535; }
        chain input {
          type filter hook input priority 100; policy accept;
          tcp flags & (syn|ack|rst) != syn accept
          meta l4proto { tcp, udp } update @v4 { ip saddr . ip daddr . meta l4proto . th sport . th dport }
          meta l4proto { tcp, udp } update @v6 { ip6 saddr . ip6 daddr . meta l4proto . th sport . th dport }
        }
      }
      """;

  @Test
  @Requirement("F3")
  void randomRules_kernelAndPrediction_agree() throws Exception {
    agree(POLICIES, NftAgreementTest::randomRules, NftAgreementTest::load);
  }

  /** So many that they are joined, and written without sets where sets would be too many. */
  @Test
  @Requirement("F3")
  void manyRandomRules_kernelAndPrediction_agree() throws Exception {
    agree(POLICIES / 4, NftAgreementTest::manyRandomRules, NftAgreementTest::load);
  }

  private static void load(Namespace host, FirewallRules rules)
      throws IOException, InterruptedException {
    host.run(
        NftText.of(rules, List.of("v0"), EnumSet.allOf(NftText.Family.class)), "nft", "-f", "-");
  }

  @Test
  @Requirement("F3")
  void randomRules_withoutNft_kernelAndPrediction_agree() throws Exception {
    agree(
        POLICIES,
        NftAgreementTest::randomRulesForIptables,
        (host, rules) -> {
          for (boolean v6 : new boolean[] {false, true}) {
            String tool = v6 ? "ip6tables" : "iptables";
            String text =
                IptablesText.of(rules, v6)
                    .replace(
                        "COMMIT",
                        "-F INPUT%n-F OUTPUT%n-A INPUT -j %s%n-A OUTPUT -j %s%nCOMMIT"
                            .formatted(IptablesText.INPUT, IptablesText.OUTPUT));
            host.run(text, tool + "-restore", "--noflush", "-w");
          }
        });
  }

  private interface Load {
    void load(Namespace host, FirewallRules rules) throws IOException, InterruptedException;
  }

  private static void agree(int count, Function<RandomGenerator, FirewallRules> policies, Load load)
      throws Exception {
    long seed = Long.getLong("towline.seed", LONG ? new Random().nextLong() : 6);
    System.out.println("seed " + seed);
    var random = new Random(seed);
    int packets = 0;
    int dropped = 0;
    try (Namespace host = open();
        Namespace peer = open()) {
      connect(host, peer);
      try (var fromHost = new Sender(host);
          var fromPeer = new Sender(peer)) {
        for (int i = 0; i < count; i++) {
          FirewallRules rules = policies.apply(random);
          load.load(host, rules);
          var incoming = new ArrayList<Packet>();
          var outgoing = new ArrayList<Packet>();
          for (Packet packet : matrix()) {
            (packet.direction() == Direction.INCOMING ? incoming : outgoing).add(packet);
          }
          for (var half : List.of(incoming, outgoing)) {
            boolean in = half == incoming;
            Namespace receiver = in ? host : peer;
            receiver.run("flush set inet notes v4\nflush set inet notes v6\n", "nft", "-f", "-");
            (in ? fromPeer : fromHost).send(half);
            var expected = new TreeSet<String>();
            half.stream()
                .filter(p -> rules.test(p).passes())
                .map(Sender::key)
                .forEach(expected::add);
            assertThat(arrived(receiver, expected))
                .as("seed %d, policy %d, %s: %s", seed, i, in ? "incoming" : "outgoing", rules)
                .isEqualTo(expected);
            packets += half.size();
            dropped += half.size() - expected.size();
          }
        }
      }
    }
    System.out.println(packets + " packets, " + dropped + " dropped, " + count + " policies");
    assertThat(dropped).isBetween(packets / 20, packets * 19 / 20);
  }

  /** Needs root, nft, iptables and ip; the test fails where they are missing. */
  private static Namespace open() throws IOException, InterruptedException {
    Namespace opened = Namespace.open();
    opened.run(NOTES, "nft", "-f", "-");
    return opened;
  }

  private static void connect(Namespace host, Namespace peer) throws Exception {
    host.run(
        "",
        "ip",
        "link",
        "add",
        "v0",
        "type",
        "veth",
        "peer",
        "name",
        "v1",
        "netns",
        "" + peer.pid());
    for (var side : List.of(host, peer)) {
      boolean isHost = side == host;
      String device = isHost ? "v0" : "v1";
      side.run("", "ip", "link", "set", device, "address", isHost ? HOST_MAC : PEER_MAC, "up");
      for (String address : isHost ? HOST : PEER) {
        side.run(
            "",
            "ip",
            "address",
            "add",
            address + (address.contains(":") ? "/64" : "/24"),
            "dev",
            device,
            "nodad");
      }
    }
    // Random rules must not hide one end from the other.
    for (var side : List.of(host, peer)) {
      boolean isHost = side == host;
      for (String address : isHost ? PEER : HOST) {
        side.run(
            "",
            "ip",
            "neighbour",
            "replace",
            address,
            "lladdr",
            isHost ? PEER_MAC : HOST_MAC,
            "dev",
            isHost ? "v0" : "v1");
      }
    }
  }

  private static TreeSet<String> arrived(Namespace receiver, TreeSet<String> expected)
      throws Exception {
    var seen = new TreeSet<String>();
    // Packets are handled at once; under load the last ones may be late.
    long end = System.nanoTime() + LATE.toNanos();
    while (true) {
      seen.clear();
      for (String set : List.of("v4", "v6")) {
        String text = receiver.run("", "nft", "-n", "list", "set", "inet", "notes", set);
        int from = text.indexOf("elements = {");
        if (from < 0) {
          continue;
        }
        String elements = text.substring(from + 12, text.indexOf('}', from));
        for (String element : elements.split(",")) {
          seen.add(element.strip().replaceAll(" \\. ", " "));
        }
      }
      if (seen.equals(expected) || System.nanoTime() > end) {
        break;
      }
    }
    return seen;
  }

  private static List<Packet> matrix() {
    List<Packet> packets = new ArrayList<>();
    for (Direction direction : Direction.values()) {
      boolean in = direction == Direction.INCOMING;
      for (String from : in ? PEER : HOST) {
        for (String to : in ? HOST : PEER) {
          if (from.contains(":") != to.contains(":")) {
            continue;
          }
          for (int protocol : new int[] {6, 17}) {
            for (int port : PORTS) {
              for (int fromPort : FROM_PORTS) {
                packets.add(
                    new Packet(
                        direction,
                        Frame.IP,
                        protocol,
                        IpRange.address(from).orElseThrow(),
                        IpRange.address(to).orElseThrow(),
                        in ? PEER_MAC : "",
                        in ? HOST_MAC : "",
                        fromPort,
                        port,
                        false,
                        0));
              }
            }
          }
        }
      }
    }
    return packets;
  }

  private static FirewallRules randomRules(RandomGenerator random) {
    List<FirewallRule> rules = new ArrayList<>();
    int count = random.nextInt(8);
    for (int i = 0; i < count; i++) {
      rules.add(randomRule(random, "rule " + i));
    }
    return new FirewallRules(
        random.nextBoolean(),
        random.nextBoolean() ? OptionalInt.of(7118) : OptionalInt.empty(),
        rules);
  }

  /** Each of them matches little, so that many have a say. */
  private static FirewallRules manyRandomRules(RandomGenerator random) {
    List<FirewallRule> rules = new ArrayList<>();
    for (int i = random.nextInt(40, 120); i > 0; i--) {
      boolean in = random.nextBoolean();
      rules.add(
          new FirewallRule(
              "rule " + i,
              one(random, List.of(Action.values())),
              random.nextInt(5),
              in ? Direction.INCOMING : Direction.OUTGOING,
              Frame.IP,
              one(random, List.of(List.of(6), List.of(17), List.of(6, 17))),
              addresses(random, in ? PEER : HOST),
              addresses(random, in ? HOST : PEER),
              in && random.nextInt(4) == 0 ? macs(random) : List.of(),
              List.of(),
              random.nextInt(4) == 0 ? List.of(new PortRange(40_000, 40_000)) : List.of(),
              ports(random),
              0,
              false));
    }
    return new FirewallRules(
        random.nextBoolean(),
        random.nextBoolean() ? OptionalInt.of(7118) : OptionalInt.empty(),
        rules);
  }

  /** One or two of them, sometimes with others that nobody has. */
  private static List<IpRange> addresses(RandomGenerator random, List<String> some) {
    List<IpRange> ranges = new ArrayList<>();
    for (int i = random.nextInt(1, 3); i > 0; i--) {
      ranges.add(IpRange.parse(one(random, some)).orElseThrow());
      if (random.nextBoolean()) {
        ranges.add(IpRange.parse("10.8.0.%d".formatted(random.nextInt(256))).orElseThrow());
      }
    }
    return ranges;
  }

  private static FirewallRules randomRulesForIptables(RandomGenerator random) {
    FirewallRules rules;
    do {
      rules = randomRules(random);
    } while (!IptablesText.refused(rules).isEmpty());
    return rules;
  }

  private static FirewallRule randomRule(RandomGenerator random, String name) {
    Frame frame = random.nextInt(8) == 0 ? one(random, List.of(Frame.values())) : Frame.IP;
    Direction direction =
        frame == Frame.OTHER ? Direction.INCOMING : one(random, List.of(Direction.values()));
    boolean macs = frame != Frame.IP || direction == Direction.INCOMING;
    List<Integer> protocols =
        frame == Frame.IP
            ? one(random, List.of(List.of(), List.of(6), List.of(17), List.of(6, 17), List.of(1)))
            : List.<Integer>of();
    boolean ports = !protocols.isEmpty() && !protocols.contains(1);
    return new FirewallRule(
        name,
        one(random, List.of(Action.values())),
        random.nextInt(5),
        direction,
        frame,
        protocols,
        frame == Frame.OTHER ? List.of() : ranges(random, frame == Frame.ARP),
        frame == Frame.OTHER ? List.of() : ranges(random, frame == Frame.ARP),
        macs ? macs(random) : List.of(),
        macs ? macs(random) : List.of(),
        ports && random.nextInt(4) == 0 ? List.of(new PortRange(40_000, 40_000)) : List.of(),
        ports && random.nextBoolean() ? ports(random) : List.of(),
        frame == Frame.OTHER && random.nextBoolean() ? 0x88cc : 0,
        false);
  }

  private static List<PortRange> ports(RandomGenerator random) {
    List<PortRange> ports = new ArrayList<>();
    for (int i = random.nextInt(3); i >= 0; i--) {
      int from = one(random, PORTS);
      ports.add(new PortRange(from, from + random.nextInt(500)));
    }
    return ports;
  }

  private static List<IpRange> ranges(RandomGenerator random, boolean v4Only) {
    List<IpRange> ranges = new ArrayList<>();
    List<String> some =
        List.of(
            "10.9.0.1",
            "10.9.0.101-10.9.0.102",
            "10.9.0.0/25",
            "0.0.0.0/0",
            "10.9.0.100/30",
            "fd09::1",
            "fd09::/64",
            "fd09::100-fd09::1ff",
            "::/0");
    for (int i = random.nextInt(4); i > 0; i--) {
      ranges.add(IpRange.parse(one(random, v4Only ? some.subList(0, 5) : some)).orElseThrow());
    }
    return ranges;
  }

  private static List<String> macs(RandomGenerator random) {
    return switch (random.nextInt(6)) {
      case 0 -> List.of(PEER_MAC);
      case 1 -> List.of(HOST_MAC, "02:00:00:00:00:09");
      default -> List.of();
    };
  }

  private static <T> T one(RandomGenerator random, List<T> values) {
    return values.get(random.nextInt(values.size()));
  }

  /** A {@link PacketSender} in a namespace. */
  private static final class Sender implements AutoCloseable {
    private final Process process;
    private final Writer out;
    private final BufferedReader in;

    Sender(Namespace where) throws IOException {
      process =
          where.start(
              ProcessHandle.current().info().command().orElse("java"),
              "-Xshare:auto",
              "-XX:TieredStopAtLevel=1",
              "-cp",
              Path.of(
                      URI.create(
                          PacketSender.class
                              .getProtectionDomain()
                              .getCodeSource()
                              .getLocation()
                              .toString()))
                  .toString(),
              PacketSender.class.getName());
      out = process.outputWriter(StandardCharsets.UTF_8);
      in = process.inputReader(StandardCharsets.UTF_8);
    }

    void send(List<Packet> packets) throws IOException {
      for (Packet packet : packets) {
        out.write(
            "%s %s %d %s %d%n"
                .formatted(
                    packet.protocol() == 6 ? "tcp" : "udp",
                    packet.source().text(),
                    packet.sourcePort(),
                    packet.destination().text(),
                    packet.destinationPort()));
      }
      out.flush();
      for (int i = 0; i < packets.size(); i++) {
        assertThat(in.readLine()).as("the sender's answer").isNotNull();
      }
    }

    /** As nft lists it. */
    static String key(Packet packet) {
      return "%s %s %d %d %d"
          .formatted(
              shortened(packet.source().text()),
              shortened(packet.destination().text()),
              packet.protocol(),
              packet.sourcePort(),
              packet.destinationPort());
    }

    private static String shortened(String address) {
      return address.replaceFirst("(:0)+:", "::");
    }

    @Override
    public void close() {
      process.destroy();
    }
  }
}
