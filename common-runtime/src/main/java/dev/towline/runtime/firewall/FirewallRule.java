package dev.towline.runtime.firewall;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One rule (F3). Lists are resolved; an empty one is no restriction.
 *
 * @param priority 4 acts first, 0 last
 * @param protocols numbers of IP protocols
 * @param etherType of other frames; 0: any
 * @param hidden made by the agent, not by a user (F1)
 */
public record FirewallRule(
    String name,
    Action action,
    int priority,
    Direction direction,
    Frame frame,
    List<Integer> protocols,
    List<IpRange> sourceIps,
    List<IpRange> destinationIps,
    List<String> sourceMacs,
    List<String> destinationMacs,
    List<PortRange> sourcePorts,
    List<PortRange> destinationPorts,
    int etherType,
    boolean hidden) {
  public static final int TOP_PRIORITY = 4;
  static final int TCP = 6;
  static final int UDP = 17;
  static final int ICMP_V6 = 58;

  public FirewallRule {
    protocols = List.copyOf(protocols);
    sourceIps = List.copyOf(sourceIps);
    destinationIps = List.copyOf(destinationIps);
    sourceMacs = List.copyOf(sourceMacs);
    destinationMacs = List.copyOf(destinationMacs);
    sourcePorts = List.copyOf(sourcePorts);
    destinationPorts = List.copyOf(destinationPorts);
  }

  /** What a rule does; within one priority they act in this order. */
  public enum Action {
    /** Passes, whatever state its connection has. */
    BYPASS,
    /** Writes to the kernel's log and goes on. */
    LOG_ONLY,
    /** Passes. */
    FORCE_ALLOW,
    DENY,
    /** Passes; what no rule lets pass in its direction and frame type is denied from then on. */
    ALLOW;

    public String label() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  /** Seen from the host; what it forwards is neither. */
  public enum Direction {
    INCOMING,
    OUTGOING;

    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Kind of frame. */
  public enum Frame {
    IP,
    ARP,
    OTHER;

    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** The rule that keeps the agent's port open (F1). */
  static FirewallRule agentPort(int port) {
    return hidden("agent port (hidden)", Direction.INCOMING, List.of(), ports(port));
  }

  /** A bypass knows no connections, so its replies need a rule of their own. */
  static FirewallRule agentPortReplies(int port) {
    return hidden("agent port, replies (hidden)", Direction.OUTGOING, ports(port), List.of());
  }

  /** Takes the place of the hidden rule (F2). */
  boolean replacesAgentPort(int port) {
    return (action == Action.FORCE_ALLOW || action == Action.BYPASS)
        && priority == TOP_PRIORITY
        && direction == Direction.INCOMING
        && frame == Frame.IP
        && protocols.equals(List.of(TCP))
        && destinationPorts.stream().anyMatch(range -> range.contains(port));
  }

  boolean matches(Packet packet) {
    if (packet.direction() != direction || packet.frame() != frame) {
      return false;
    }
    boolean macs =
        matchesMac(sourceMacs, packet.sourceMac())
            && matchesMac(destinationMacs, packet.destinationMac());
    return macs
        && switch (frame) {
          case OTHER -> etherType == 0 || etherType == packet.etherType();
          case ARP ->
              matchesIp(sourceIps, packet.source())
                  && matchesIp(destinationIps, packet.destination());
          case IP ->
              matchesIp(sourceIps, packet.source())
                  && matchesIp(destinationIps, packet.destination())
                  && (protocols.isEmpty() || protocols.contains(packet.protocol()))
                  && matchesPort(sourcePorts, packet, packet.sourcePort())
                  && matchesPort(destinationPorts, packet, packet.destinationPort());
        };
  }

  private static boolean matchesIp(List<IpRange> ranges, @Nullable IpRange address) {
    return ranges.isEmpty()
        || (address != null && ranges.stream().anyMatch(range -> range.contains(address)));
  }

  private static boolean matchesMac(List<String> macs, String mac) {
    return macs.isEmpty() || macs.contains(mac);
  }

  private static boolean matchesPort(List<PortRange> ranges, Packet packet, int port) {
    return ranges.isEmpty()
        || ((packet.protocol() == TCP || packet.protocol() == UDP)
            && ranges.stream().anyMatch(range -> range.contains(port)));
  }

  private static List<PortRange> ports(int port) {
    return List.of(new PortRange(port, port));
  }

  private static FirewallRule hidden(
      String name, Direction direction, List<PortRange> from, List<PortRange> to) {
    return new FirewallRule(
        name,
        Action.BYPASS,
        TOP_PRIORITY,
        direction,
        Frame.IP,
        List.of(TCP),
        List.of(),
        List.of(),
        List.of(),
        List.of(),
        from,
        to,
        0,
        true);
  }
}
