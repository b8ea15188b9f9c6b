package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.CreateProxyClusterRequest;
import dev.towline.proto.v1.CreateProxyCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.DeleteProxyClusterRequest;
import dev.towline.proto.v1.ListProxiesRequest;
import dev.towline.proto.v1.ListProxiesResponse;
import dev.towline.proto.v1.ListProxyClustersRequest;
import dev.towline.proto.v1.ListProxyClustersResponse;
import dev.towline.proto.v1.Proxy;
import dev.towline.proto.v1.ProxyCluster;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
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
      "  towline proxies command dc1",
      "  towline install-command create --proxy-cluster dc1"
    })
final class ProxiesCommand extends CommandGroup {
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
    ProxyCluster cluster;
    try (var client = context.connect()) {
      cluster =
          client
              .proxyClusters()
              .createProxyCluster(
                  CreateProxyClusterRequest.newBuilder()
                      .setName(name)
                      .setAddress(address)
                      .setDescription(description)
                      .setPort(port)
                      .setHttpPort(httpPort)
                      .build());
    }
    if (output.isTable()) {
      context
          .out()
          .println(
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
    ListProxyClustersResponse clusters;
    try (var client = context.connect()) {
      clusters =
          client.proxyClusters().listProxyClusters(ListProxyClustersRequest.getDefaultInstance());
    }
    if (!output.isTable()) {
      output.print(clusters, context.out());
      return ExitCodes.OK;
    }
    if (clusters.getClustersCount() == 0) {
      context
          .out()
          .println(
              "No proxy clusters. Create one: towline proxies create-cluster NAME --address"
                  + " ADDRESS");
      return ExitCodes.OK;
    }
    var table = new Table("NAME", "ADDRESS", "STATE", "CLIENTS", "DESCRIPTION");
    for (ProxyCluster cluster : clusters.getClustersList()) {
      table.row(
          cluster.getName(),
          cluster.getAddress() + ":" + cluster.getPort(),
          cluster.getOnline() ? "online" : "offline",
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
    try (var client = context.connect()) {
      var ignored =
          client
              .proxyClusters()
              .deleteProxyCluster(DeleteProxyClusterRequest.newBuilder().setCluster(name).build());
    }
    context.out().println("Proxy cluster " + name + " is deleted.");
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
    CreatedInstallCommand created;
    try (var client = context.connect()) {
      created =
          client
              .proxyClusters()
              .createProxyCommand(
                  CreateProxyCommandRequest.newBuilder()
                      .setCluster(cluster)
                      .setRelay(relay)
                      .setExpiresInMs(expires.toMillis())
                      .build());
    }
    CreatedCommands.print(context, created, "a proxy of " + cluster, enrollmentFile, output);
    return ExitCodes.OK;
  }

  @Command(name = "list", header = "Lists proxies.", mixinStandardHelpOptions = true)
  int list(
      @Option(names = "--cluster", defaultValue = "", description = "only those of this cluster")
          String cluster,
      @Mixin OutputOptions output) {
    ListProxiesResponse proxies;
    try (var client = context.connect()) {
      proxies =
          client
              .proxyClusters()
              .listProxies(ListProxiesRequest.newBuilder().setCluster(cluster).build());
    }
    if (!output.isTable()) {
      output.print(proxies, context.out());
      return ExitCodes.OK;
    }
    if (proxies.getProxiesCount() == 0) {
      context.out().println("No proxies. Add one: towline proxies command CLUSTER");
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var table = new Table("NAME", "CLUSTER", "STATE", "CLIENTS", "VERSION", "LAST SEEN", "ID");
    for (Proxy proxy : proxies.getProxiesList()) {
      table.row(
          proxy.getName(),
          proxy.getCluster(),
          Text.label(proxy.getState(), "HOST_STATE_"),
          Integer.toString(proxy.getClients()),
          proxy.getVersion(),
          Times.ago(proxy.getLastSeenMs(), now),
          proxy.getId());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }
}
