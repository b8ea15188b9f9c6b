package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ConnectClientsRequest;
import dev.towline.proto.v1.CreateProxyClusterRequest;
import dev.towline.proto.v1.CreateProxyCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.DeleteProxyClusterRequest;
import dev.towline.proto.v1.DeleteProxyRequest;
import dev.towline.proto.v1.DeployProxyRequest;
import dev.towline.proto.v1.DeployProxyResponse;
import dev.towline.proto.v1.DisconnectClientsRequest;
import dev.towline.proto.v1.DrainProxyRequest;
import dev.towline.proto.v1.GetProxyClusterRequest;
import dev.towline.proto.v1.GetProxyUpgradeRequest;
import dev.towline.proto.v1.ListHostsResponse;
import dev.towline.proto.v1.ListProxiesRequest;
import dev.towline.proto.v1.ListProxiesResponse;
import dev.towline.proto.v1.ListProxyClustersRequest;
import dev.towline.proto.v1.ListProxyClustersResponse;
import dev.towline.proto.v1.MovedClients;
import dev.towline.proto.v1.Proxy;
import dev.towline.proto.v1.ProxyCluster;
import dev.towline.proto.v1.ProxyClusterDetails;
import dev.towline.proto.v1.ProxyUpgradeRoll;
import dev.towline.proto.v1.ResolvedAddress;
import dev.towline.proto.v1.StopProxyClusterRequest;
import dev.towline.proto.v1.StopProxyRequest;
import dev.towline.proto.v1.UpgradeProxiesRequest;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.program.CommandGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "proxies",
    header = "Manages proxy clusters and their proxies.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline proxies create-cluster dc1 --address 10.0.0.5",
      "  towline proxies deploy dc1 --on gateway-1",
      "  towline proxies connect dc1 --on group=web",
      "  towline install-command create --proxy-cluster dc1"
    })
final class ProxiesCommand extends CommandGroup {
  private static final Duration MARGIN = Duration.ofSeconds(30);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(100);

  private final CliContext context;

  ProxiesCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "create-cluster",
      header = "Creates a proxy cluster; name and address can't change afterwards.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = {
        "  towline proxies create-cluster dc1 --address 10.0.0.5",
        "  towline proxies create-cluster dc2 --address proxy.dc2.example --port 8843"
      })
  int createCluster(
      @Parameters(paramLabel = "NAME", description = "name of the cluster") String name,
      @Option(
              names = "--address",
              required = true,
              description = "IP address (one proxy) or domain name (several) that agents use")
          String address,
      @Option(names = "--description", defaultValue = "", description = "for people")
          String description,
      @Option(
              names = "--port",
              defaultValue = "0",
              description = "session port of its proxies (default: 443)")
          int port,
      @Option(
              names = "--http-port",
              defaultValue = "0",
              description = "plain HTTP port of its proxies (default: 8080)")
          int httpPort,
      @Mixin OutputOptions output) {
    ProxyCluster cluster =
        context.ask(client ->
            client
                .proxyClusters()
                .createProxyCluster(
                    CreateProxyClusterRequest.newBuilder()
                        .setName(name)
                        .setAddress(address)
                        .setDescription(description)
                        .setPort(port)
                        .setHttpPort(httpPort)
                        .build()));
    if (output.isTable()) {
      context.say(
          "Proxy cluster "
              + cluster.getName()
              + " at "
              + cluster.getAddress()
              + ":"
              + cluster.getPort()
              + " is created. Add a proxy with: towline proxies command "
              + cluster.getName());
    } else {
      output.print(cluster, context.out());
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "list-clusters",
      header = "Lists proxy clusters.",
      mixinStandardHelpOptions = true)
  int listClusters(@Mixin OutputOptions output) {
    ListProxyClustersResponse clusters =
        context.ask(client ->
            client
                .proxyClusters()
                .listProxyClusters(ListProxyClustersRequest.getDefaultInstance()));
    if (!output.isTable()) {
      output.print(clusters, context.out());
      return ExitCodes.OK;
    }
    if (clusters.getClustersCount() == 0) {
      context.say(
          "No proxy clusters. Create one: towline proxies create-cluster NAME --address"
              + " ADDRESS");
      return ExitCodes.OK;
    }
    var table = new Table("NAME", "ADDRESS", "STATE", "PROXIES", "CLIENTS", "DESCRIPTION");
    for (ProxyCluster cluster : clusters.getClustersList()) {
      table.row(
          cluster.getName(),
          cluster.getAddress() + ":" + cluster.getPort(),
          cluster.getOnline() ? "online" : "offline",
          cluster.getProxiesOnline() + "/" + cluster.getProxies(),
          Integer.toString(cluster.getConnectedClients()),
          cluster.getDescription());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(
      name = "delete-cluster",
      header = "Deletes a proxy cluster that is empty.",
      mixinStandardHelpOptions = true)
  int deleteCluster(
      @Parameters(paramLabel = "NAME", description = "name of the cluster") String name) {
    var _ =
        context.ask(client ->
            client
                .proxyClusters()
                .deleteProxyCluster(
                    DeleteProxyClusterRequest.newBuilder().setCluster(name).build()));
    context.say("Proxy cluster " + name + " is deleted.");
    return ExitCodes.OK;
  }

  @Command(
      name = "command",
      header = "Creates the command that turns a Linux host into a proxy of the cluster.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline proxies command dc1 --expires 2h")
  int command(
      @Parameters(paramLabel = "CLUSTER", description = "name of the cluster") String cluster,
      @Option(
              names = "--expires",
              paramLabel = "DURATION",
              defaultValue = "24h",
              converter = Durations.class,
              description = "how long it may be used (default: 24h)")
          Duration expires,
      @Option(
              names = "--enrollment-file",
              paramLabel = "PATH",
              description = "also write the enrollment file for a proxy that is started by hand")
          @Nullable Path enrollmentFile,
      @Option(
              names = "--relay",
              paramLabel = "NAME",
              defaultValue = "",
              description = "the proxy stands below this child relay (default: none)")
          String relay,
      @Mixin OutputOptions output) {
    CreatedInstallCommand created =
        context.ask(client ->
            client
                .proxyClusters()
                .createProxyCommand(
                    CreateProxyCommandRequest.newBuilder()
                        .setCluster(cluster)
                        .setRelay(relay)
                        .setExpiresInMs(expires.toMillis())
                        .build()));
    CreatedCommands.print(context, created, "a proxy of " + cluster, enrollmentFile, output);
    return ExitCodes.OK;
  }

  @Command(
      name = "show",
      aliases = "show-cluster",
      header = "Shows a cluster with its proxies and where its address leads.",
      mixinStandardHelpOptions = true)
  int show(
      @Parameters(paramLabel = "CLUSTER", description = "name of the cluster") String cluster,
      @Mixin OutputOptions output) {
    ProxyClusterDetails details =
        context.ask(client ->
            client
                .proxyClusters()
                .getProxyCluster(GetProxyClusterRequest.newBuilder().setCluster(cluster).build()));
    if (!output.isTable()) {
      output.print(details, context.out());
      return ExitCodes.OK;
    }
    ProxyCluster shown = details.getCluster();
    var sheet = new Sheet(context.out());
    sheet.line("Name", shown.getName());
    sheet.line("Address", shown.getAddress() + ":" + shown.getPort());
    sheet.line("HTTP port", Integer.toString(shown.getHttpPort()));
    sheet.line("Description", shown.getDescription());
    sheet.line("State", shown.getOnline() ? "online" : "offline");
    sheet.line("Proxies", shown.getProxiesOnline() + " of " + shown.getProxies() + " online");
    sheet.line("Clients", shown.getConnectedClients() + " of " + shown.getClients() + " connected");
    for (ResolvedAddress address : details.getAddressesList()) {
      sheet.line(
          "Leads to",
          address.getAddress()
              + (address.getProxy().isEmpty() ? "" : " (" + address.getProxy() + ")"));
    }
    for (String warning : details.getWarningsList()) {
      context.err().println("warning: " + warning);
    }
    if (details.getProxiesCount() > 0) {
      context.say("");
      ProxyTable.print(details.getProxiesList(), context);
    }
    return ExitCodes.OK;
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
      name = "deploy",
      header = "Lets the agent of an online host install a proxy of the cluster there.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline proxies deploy dc1 --on gateway-1")
  int deploy(
      @Parameters(paramLabel = "CLUSTER", description = "name of the cluster") String cluster,
      @Option(names = "--on", paramLabel = "HOST", required = true, description = "name or id")
          String host,
      @Mixin OutputOptions output) {
    DeployProxyResponse deployed =
        context.ask(client ->
            client
                .proxyClusters()
                .deployProxy(
                    DeployProxyRequest.newBuilder().setCluster(cluster).setHost(host).build()));
    if (output.isTable()) {
      context.say(
          "The agent of "
              + deployed.getHostName()
              + " was told to install towline-proxy "
              + deployed.getVersion()
              + ". It shows up in: towline proxies list --cluster "
              + cluster
              + "; should it fail, towline events list says why.");
    } else {
      output.print(deployed, context.out());
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "drain",
      header = "Moves the agents of a proxy to the other proxies of its cluster.",
      mixinStandardHelpOptions = true)
  int drain(
      @Parameters(paramLabel = "PROXY", description = "name or id") String proxy,
      @Option(names = "--resume", description = "let it carry agents again") boolean resume,
      @Option(
              names = "--time-limit",
              paramLabel = "DURATION",
              defaultValue = "60s",
              converter = Durations.class,
              description = "how long agents may take (default: 60s)")
          Duration limit) {
    try (var client = context.connect()) {
      Action action =
          client
              .proxyClusters()
              .drainProxy(
                  DrainProxyRequest.newBuilder()
                      .setProxy(proxy)
                      .setResume(resume)
                      .setTimeLimitMs(limit.toMillis())
                      .build());
      return new ProxyMoves(context).ordered(client, action, limit.plus(MARGIN));
    }
  }

  @Command(
      name = "stop",
      header = "Drains a proxy, then ends it until it is started on its host.",
      description = "On its host, the same is done by: towline-proxy stop",
      mixinStandardHelpOptions = true)
  int stop(
      @Parameters(paramLabel = "PROXY", description = "name or id") String proxy,
      @Option(names = "--force", description = "also when agents are left without a proxy")
          boolean force) {
    try (var client = context.connect()) {
      Action action =
          client
              .proxyClusters()
              .stopProxy(StopProxyRequest.newBuilder().setProxy(proxy).setForce(force).build());
      return new ProxyMoves(context).ordered(client, action, STOP_LIMIT);
    }
  }

  @Command(
      name = "stop-cluster",
      header = "Ends every proxy of a cluster that has no clients any more.",
      mixinStandardHelpOptions = true)
  int stopCluster(
      @Parameters(paramLabel = "CLUSTER", description = "name of the cluster") String cluster,
      @Option(names = "--force", description = "although it has clients") boolean force) {
    try (var client = context.connect()) {
      List<Action> actions =
          client
              .proxyClusters()
              .stopProxyCluster(
                  StopProxyClusterRequest.newBuilder().setCluster(cluster).setForce(force).build())
              .getActionsList();
      int worst = ExitCodes.OK;
      for (Action action : actions) {
        worst = Math.max(worst, new ProxyMoves(context).ordered(client, action, STOP_LIMIT));
      }
      return worst;
    }
  }

  @Command(
      name = "upgrade",
      header = "Brings the proxies of a cluster to the newest version, one after the other.",
      description = {
        "The agents of each move to the other proxies first; the agent of its host replaces it.",
        "Ends with the first one that does not come up, which goes back to its version."
      },
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = {"  towline proxies upgrade dc1", "  towline proxies upgrade dc1 --proxy gateway-1"})
  int upgrade(
      @Parameters(paramLabel = "CLUSTER", description = "name of the cluster") String cluster,
      @Option(
              names = "--proxy",
              paramLabel = "PROXY",
              defaultValue = "",
              description = "only this one, name or id")
          String proxy) {
    try (var client = context.connect()) {
      ProxyUpgradeRoll begun =
          client
              .proxyClusters()
              .upgradeProxies(
                  UpgradeProxiesRequest.newBuilder().setCluster(cluster).setProxy(proxy).build());
      return new ProxyUpgradeWatch(context).follow(client, begun);
    }
  }

  @Command(
      name = "upgrades",
      header = "Shows how the last upgrade of a cluster stands or ended.",
      mixinStandardHelpOptions = true)
  int upgrades(
      @Parameters(paramLabel = "CLUSTER", description = "name of the cluster") String cluster,
      @Mixin OutputOptions output) {
    ProxyUpgradeRoll roll =
        context.ask(client ->
            client
                .proxyClusters()
                .getProxyUpgrade(GetProxyUpgradeRequest.newBuilder().setCluster(cluster).build()));
    if (output.isTable()) {
      new ProxyUpgradeWatch(context).print(roll);
    } else {
      output.print(roll, context.out());
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "delete",
      header = "Takes a proxy that is offline out of its cluster.",
      mixinStandardHelpOptions = true)
  int delete(@Parameters(paramLabel = "PROXY", description = "name or id") String name) {
    Proxy proxy =
        context.ask(client ->
            client
                .proxyClusters()
                .deleteProxy(DeleteProxyRequest.newBuilder().setProxy(name).build()));
    context.say(
        "Proxy " + proxy.getName() + " is deleted from cluster " + proxy.getCluster() + ".");
    return ExitCodes.OK;
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
    sheet.line("Computed from", ProxySize.BASIS);
    return ExitCodes.OK;
  }

  @Command(name = "list", header = "Lists proxies.", mixinStandardHelpOptions = true)
  int list(
      @Option(names = "--cluster", defaultValue = "", description = "only those of this cluster")
          String cluster,
      @Mixin OutputOptions output) {
    ListProxiesResponse proxies =
        context.ask(client ->
            client
                .proxyClusters()
                .listProxies(ListProxiesRequest.newBuilder().setCluster(cluster).build()));
    if (!output.isTable()) {
      output.print(proxies, context.out());
      return ExitCodes.OK;
    }
    if (proxies.getProxiesCount() == 0) {
      context.say("No proxies. Add one: towline proxies command CLUSTER");
      return ExitCodes.OK;
    }
    ProxyTable.print(proxies.getProxiesList(), context);
    return ExitCodes.OK;
  }
}
