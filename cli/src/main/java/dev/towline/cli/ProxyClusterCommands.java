package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.proto.v1.CreateProxyClusterRequest;
import dev.towline.proto.v1.DeleteProxyClusterRequest;
import dev.towline.proto.v1.GetProxyClusterRequest;
import dev.towline.proto.v1.ListProxyClustersRequest;
import dev.towline.proto.v1.ListProxyClustersResponse;
import dev.towline.proto.v1.ProxyCluster;
import dev.towline.proto.v1.ProxyClusterDetails;
import dev.towline.proto.v1.ResolvedAddress;
import dev.towline.runtime.program.CommandGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Commands of {@code towline proxies} for whole clusters. */
@Command
final class ProxyClusterCommands extends CommandGroup {
  private final CliContext context;

  ProxyClusterCommands(CliContext context) {
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
}
