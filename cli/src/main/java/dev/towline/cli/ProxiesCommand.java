package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.CreateProxyCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.DeleteProxyRequest;
import dev.towline.proto.v1.DeployProxyRequest;
import dev.towline.proto.v1.DeployProxyResponse;
import dev.towline.proto.v1.DrainProxyRequest;
import dev.towline.proto.v1.GetProxyUpgradeRequest;
import dev.towline.proto.v1.ListProxiesRequest;
import dev.towline.proto.v1.ListProxiesResponse;
import dev.towline.proto.v1.Proxy;
import dev.towline.proto.v1.ProxyUpgradeRoll;
import dev.towline.proto.v1.StopProxyClusterRequest;
import dev.towline.proto.v1.StopProxyRequest;
import dev.towline.proto.v1.UpgradeProxiesRequest;
import dev.towline.runtime.program.CommandGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Proxies; clusters and clients are commands of the same group. */
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
