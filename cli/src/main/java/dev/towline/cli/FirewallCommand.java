package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.output.Durations;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.ControlFirewall.Order;
import dev.towline.proto.v1.ControlHostFirewallRequest;
import dev.towline.proto.v1.FirewallPacket;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.program.CommandGroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "firewall",
    header = "Sets and shows the firewall of a host.",
    description = {
      "Off until it is set. It touches Towline's own tables only, never rules, NAT or forwarding"
          + " of",
      "others. Rules that cut the host off from its manager are taken back by themselves."
    },
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline firewall set web-1 -f rules.yaml",
      "  towline firewall show web-1",
      "  towline firewall test web-1 --from 203.0.113.9 --port 443",
      "  towline firewall off web-1"
    })
final class FirewallCommand extends CommandGroup {
  private final CliContext context;

  FirewallCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "set",
      header = "Puts a whole rule set in force; says whether it was confirmed or rolled back.",
      mixinStandardHelpOptions = true)
  int set(
      @Parameters(paramLabel = "HOST", description = "name or id") String host,
      @Option(
              names = {"-f", "--file"},
              paramLabel = "FILE",
              required = true,
              description = "rules as YAML, see docs/firewall.md")
          Path file,
      @Option(
              names = "--confirm-within",
              paramLabel = "DURATION",
              defaultValue = "60s",
              converter = Durations.class,
              description =
                  "taken back unless the host reaches its manager anew in this time (default: 60s,"
                      + " 10s to 10m)")
          Duration confirmWithin) {
    String rules;
    try {
      rules = Files.readString(file);
    } catch (IOException e) {
      throw new TowlineException(
          Errors.USAGE, "file: " + file + " can't be read", "give a file with rules", e);
    }
    return tell(
        host,
        ControlFirewall.newBuilder()
            .setOrder(Order.SET)
            .setRules(rules)
            .setConfirmWithinMs(confirmWithin.toMillis()));
  }

  @Command(
      name = "show",
      header = "Shows the rules in force, hidden ones too, and what else decides on the host.",
      mixinStandardHelpOptions = true)
  int show(@Parameters(paramLabel = "HOST", description = "name or id") String host) {
    return tell(host, ControlFirewall.newBuilder().setOrder(Order.SHOW));
  }

  @Command(
      name = "off",
      header = "Takes Towline's rules away; those of others stay as they are.",
      mixinStandardHelpOptions = true)
  int off(@Parameters(paramLabel = "HOST", description = "name or id") String host) {
    return tell(host, ControlFirewall.newBuilder().setOrder(Order.OFF));
  }

  @Command(
      name = "test",
      header = "Says what would happen to a packet, and which rule decides.",
      mixinStandardHelpOptions = true)
  int test(
      @Parameters(paramLabel = "HOST", description = "name or id") String host,
      @Option(names = "--from", defaultValue = "", description = "source address") String from,
      @Option(
              names = "--to",
              defaultValue = "",
              description = "destination address (default when incoming: the host's)")
          String to,
      @Option(names = "--port", defaultValue = "0", description = "destination port") int port,
      @Option(names = "--from-port", defaultValue = "0", description = "source port") int fromPort,
      @Option(
              names = "--protocol",
              defaultValue = "tcp",
              description = "tcp, udp, icmp, icmpv6 or a number (default: tcp)")
          String protocol,
      @Option(names = "--from-mac", defaultValue = "", description = "source MAC") String fromMac,
      @Option(names = "--to-mac", defaultValue = "", description = "destination MAC") String toMac,
      @Option(names = "--outgoing", description = "from the host (default: to the host)")
          boolean outgoing,
      @Option(names = "--established", description = "of a connection that was let through")
          boolean established) {
    return tell(
        host,
        ControlFirewall.newBuilder()
            .setOrder(Order.TEST)
            .setPacket(
                FirewallPacket.newBuilder()
                    .setOutgoing(outgoing)
                    .setProtocol(protocol)
                    .setSourceIp(from)
                    .setDestinationIp(to)
                    .setSourcePort(fromPort)
                    .setDestinationPort(port)
                    .setSourceMac(fromMac)
                    .setDestinationMac(toMac)
                    .setEstablished(established)));
  }

  private int tell(String host, ControlFirewall.Builder order) {
    try (var client = context.connect()) {
      Action action =
          client
              .hosts()
              .controlHostFirewall(
                  ControlHostFirewallRequest.newBuilder().setHost(host).setOrder(order).build());
      var view = new ActionWatch(context, true);
      return view.summarize(view.follow(client, action, null));
    }
  }
}
