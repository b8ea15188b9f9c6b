package dev.towline.agent.firewall;

import dev.towline.proto.v1.FirewallPacket;
import dev.towline.runtime.firewall.FirewallDocument;
import dev.towline.runtime.firewall.FirewallRule;
import dev.towline.runtime.firewall.FirewallRule.Direction;
import dev.towline.runtime.firewall.FirewallRule.Frame;
import dev.towline.runtime.firewall.FirewallRules;
import dev.towline.runtime.firewall.IpRange;
import dev.towline.runtime.firewall.Packet;
import dev.towline.runtime.firewall.Verdict;
import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What the firewall answers to {@code towline firewall show} and {@code test}. */
final class FirewallText {
  private FirewallText() {}

  static String show(FirewallEngine engine, Findings findings)
      throws IOException, InterruptedException {
    var text = new StringBuilder();
    FirewallEngine.State state = engine.state();
    Optional<FirewallRules> rules = engine.rules();
    text.append("firewall: ").append(state.on() ? "on, set " + state.id() : "off").append('\n');
    if (!state.note().isEmpty()) {
      text.append("note: ").append(state.note()).append('\n');
    }
    if (rules.isPresent()) {
      FirewallRules set = rules.get();
      text.append("stateful: ").append(set.stateful() ? "yes" : "no").append('\n');
      text.append("agent port: ")
          .append(
              set.agentPort().isEmpty()
                  ? "none, the agent listens nowhere"
                  : set.agentPort().getAsInt()
                      + (set.isAgentPortReplaced()
                          ? ", a rule of yours takes the place of the hidden one"
                          : ", open by the hidden rule"))
          .append('\n');
      text.append("rules, in the order in which they act:\n");
      for (FirewallRule rule : set.inForce()) {
        text.append(
            "  %d %-11s %-8s %-5s %s%n"
                .formatted(
                    rule.priority(),
                    rule.action().label(),
                    rule.direction().label(),
                    rule.frame().label(),
                    rule.name()));
      }
    }
    Findings.Report report = findings.read();
    for (Findings.Table table : report.tables()) {
      text.append(
          "table of others: %s, %d rules, owner: %s%n"
              .formatted(table.name, table.rules, table.owner()));
    }
    obstacles(text, report, rules);
    return text.toString();
  }

  static String test(FirewallRules rules, FirewallPacket wanted, Findings findings)
      throws IOException, InterruptedException {
    Packet packet = packet(wanted);
    Verdict verdict = rules.test(packet);
    var text = new StringBuilder();
    text.append(verdict.passes() ? "passes: " : "is denied: ")
        .append(verdict.decidedBy())
        .append('\n');
    verdict.logged().forEach(rule -> text.append("is logged by: ").append(rule).append('\n'));
    if (verdict.passes() && packet.direction() == Direction.INCOMING) {
      obstacles(text, findings.read(), Optional.of(rules));
    }
    return text.toString();
  }

  private static void obstacles(
      StringBuilder text, Findings.Report report, Optional<FirewallRules> rules) {
    int port = rules.map(set -> set.agentPort().orElse(0)).orElse(0);
    Findings.obstacles(report, port).forEach(line -> text.append(line).append('\n'));
  }

  private static Packet packet(FirewallPacket wanted) {
    Frame frame =
        wanted.getFrame().isEmpty()
            ? Frame.IP
            : Frame.valueOf(wanted.getFrame().toUpperCase(Locale.ROOT));
    String protocol = wanted.getProtocol().isEmpty() ? "tcp" : wanted.getProtocol();
    List<Integer> numbers = FirewallDocument.protocols(protocol).orElse(List.of());
    if (numbers.size() != 1) {
      throw new IllegalArgumentException(
          "protocol: '%s' (expected: one protocol)".formatted(protocol));
    }
    IpRange source = frame == Frame.IP ? address("from", wanted.getSourceIp()) : null;
    IpRange destination =
        frame != Frame.IP
            ? null
            : wanted.getDestinationIp().isEmpty() && !wanted.getOutgoing()
                ? ownAddress(source)
                : address("to", wanted.getDestinationIp());
    return new Packet(
        wanted.getOutgoing() ? Direction.OUTGOING : Direction.INCOMING,
        frame,
        numbers.getFirst(),
        source,
        destination,
        wanted.getSourceMac().toLowerCase(Locale.ROOT),
        wanted.getDestinationMac().toLowerCase(Locale.ROOT),
        wanted.getSourcePort(),
        wanted.getDestinationPort(),
        wanted.getEstablished(),
        wanted.getEtherType());
  }

  private static IpRange address(String what, String text) {
    return IpRange.address(text)
        .orElseThrow(() ->
            new IllegalArgumentException(
                "%s: '%s' (expected: an IP address)".formatted(what, text)));
  }

  /** An address of this host of the same family. */
  private static IpRange ownAddress(@Nullable IpRange like) {
    try {
      return NetworkInterface.networkInterfaces()
          .flatMap(NetworkInterface::inetAddresses)
          .filter(address -> !address.isLoopbackAddress() && !address.isLinkLocalAddress())
          .map(InetAddress::getHostAddress)
          .map(text -> text.replaceFirst("%.*", ""))
          .flatMap(text -> IpRange.address(text).stream())
          .filter(address -> like == null || address.v6() == like.v6())
          .findFirst()
          .orElseThrow(() -> new IllegalArgumentException("to: this host has no such address"));
    } catch (SocketException e) {
      throw new IllegalArgumentException("to: give an address of the host", e);
    }
  }
}
