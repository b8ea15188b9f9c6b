package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.proto.v1.ConnectClientsRequest;
import dev.towline.proto.v1.DisconnectClientsRequest;
import dev.towline.proto.v1.ListHostsResponse;
import dev.towline.proto.v1.MovedClients;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.program.CommandGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Commands of {@code towline proxies} for the clients of clusters. */
@Command
final class ProxyClientCommands extends CommandGroup {
  private final CliContext context;

  ProxyClientCommands(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "clients",
      header = "Lists the clients of a cluster.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline proxies clients dc1 region=eu,state=online")
  int clients(
      @Parameters(paramLabel = "CLUSTER", description = "name of the cluster") String cluster,
      @Parameters(
              paramLabel = "SELECTOR",
              arity = "0..1",
              defaultValue = "",
              description = "only these, for instance region=eu")
          String selector,
      @Mixin OutputOptions output) {
    ListHostsResponse clients =
        context.ask(client ->
            HostsCommand.all(
                client, "cluster=" + cluster + (selector.isEmpty() ? "" : "," + selector)));
    if (!output.isTable()) {
      output.print(clients, context.out());
      return ExitCodes.OK;
    }
    if (clients.getHostsCount() == 0) {
      context.say(
          "No clients. Connect some: towline proxies connect " + cluster + " --on SELECTOR");
      return ExitCodes.OK;
    }
    ProxyTable.clients(clients.getHostsList(), context);
    return ExitCodes.OK;
  }

  @Command(
      name = "connect",
      header = "Lets hosts that are online use a cluster, without a new installation.",
      description = {
        "Each host tries the cluster first and stays where it is when that does not work.",
        "Thousands may be told at once; the manager spreads them."
      },
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline proxies connect dc1 --on group=web,region=eu")
  int connect(
      @Parameters(paramLabel = "CLUSTER", description = "name of the cluster") String cluster,
      @Option(
              names = "--on",
              paramLabel = "SELECTOR",
              required = true,
              description = "which hosts, for instance group=web")
          String selector) {
    try (var client = context.connect()) {
      MovedClients moved =
          client
              .proxyClusters()
              .connectClients(
                  ConnectClientsRequest.newBuilder()
                      .setCluster(cluster)
                      .setSelector(selector)
                      .build());
      return new ProxyMoves(context).connected(client, moved, cluster);
    }
  }

  @Command(
      name = "disconnect",
      header = "Lets the clients of a cluster go to the manager directly again.",
      description = {
        "Each client tries the direct way first. One that has none stays connected and is named;",
        "with --strand it is left as \"disconnected, no route\"."
      },
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = {
        "  towline proxies disconnect dc1",
        "  towline proxies disconnect dc1 --on group=web",
        "  towline proxies disconnect dc1 --strand"
      })
  int disconnect(
      @Parameters(paramLabel = "CLUSTER", description = "name of the cluster") String cluster,
      @Option(
              names = "--on",
              paramLabel = "SELECTOR",
              defaultValue = "",
              description = "only these clients (default: all)")
          String selector,
      @Option(names = "--strand", description = "also clients that have no direct route")
          boolean strand) {
    try (var client = context.connect()) {
      MovedClients moved =
          client
              .proxyClusters()
              .disconnectClients(
                  DisconnectClientsRequest.newBuilder()
                      .setCluster(cluster)
                      .setSelector(selector)
                      .setStrand(strand)
                      .build());
      return new ProxyMoves(context).disconnected(client, moved, cluster, strand);
    }
  }

  @Command(
      name = "size",
      header = "Computes what a site needs for its clients.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline proxies size 6000 --kbit 1")
  int size(
      @Parameters(paramLabel = "CLIENTS", description = "hosts and containers of the site")
          int clients,
      @Option(
              names = "--kbit",
              paramLabel = "KBIT/S",
              defaultValue = "0.75",
              description = "logs and counters of one client (default: 0.75)")
          double kbit) {
    if (clients < 1 || kbit < 0) {
      throw new TowlineException(
          Errors.USAGE, "clients: " + clients + ", kbit: " + kbit + " (expected: more)", "");
    }
    var size = new ProxySize(clients, kbit);
    var sheet = new Sheet(context.out());
    sheet.line(
        "Proxies",
        size.proxies() + " (" + size.carrying() + " carry all clients, one may be down)");
    sheet.line("Clients of one", Integer.toString(size.clientsPerProxy()));
    sheet.line("Memory of one", size.memoryMib() + " MiB for the program");
    sheet.line("Idle load", "%.1f %% of a core".formatted(size.idleCorePercent()));
    sheet.line("Failover", "%.0f s until all have moved".formatted(size.failoverSeconds()));
    sheet.line("Uplink", "%.1f Mbit/s for the whole site".formatted(size.uplinkMbit()));
    sheet.line("Open ports", "443 for everything; 80 and 8080 for installing and updates");
    return ExitCodes.OK;
  }
}
