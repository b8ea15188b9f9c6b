package dev.towline.runtime.firewall;

import dev.towline.runtime.firewall.FirewallRule.Direction;
import dev.towline.runtime.firewall.FirewallRule.Frame;
import org.jspecify.annotations.Nullable;

/**
 * What {@code firewall test} asks about.
 *
 * @param protocol number of the IP protocol
 * @param source null when the frame carries no address
 * @param sourceMac lower case with colons; empty when it is not known, then no rule with one
 *     matches
 * @param established of a connection that was let through before
 * @param etherType of other frames
 */
public record Packet(
    Direction direction,
    Frame frame,
    int protocol,
    @Nullable IpRange source,
    @Nullable IpRange destination,
    String sourceMac,
    String destinationMac,
    int sourcePort,
    int destinationPort,
    boolean established,
    int etherType) {}
