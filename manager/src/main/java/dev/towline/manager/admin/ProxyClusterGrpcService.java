package dev.towline.manager.admin;

import dev.towline.manager.install.InstallCommands;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.proxies.ClientMoves;
import dev.towline.manager.proxies.ClusterAddresses;
import dev.towline.manager.proxies.ProxyClusters;
import dev.towline.manager.proxies.ProxyOrders;
import dev.towline.manager.proxies.ProxyUpgrades;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ConnectClientsRequest;
import dev.towline.proto.v1.CreateProxyClusterRequest;
import dev.towline.proto.v1.CreateProxyCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.DeleteProxyClusterRequest;
import dev.towline.proto.v1.DeleteProxyClusterResponse;
import dev.towline.proto.v1.DeleteProxyRequest;
import dev.towline.proto.v1.DeployProxyRequest;
import dev.towline.proto.v1.DeployProxyResponse;
import dev.towline.proto.v1.DisconnectClientsRequest;
import dev.towline.proto.v1.DrainProxyRequest;
import dev.towline.proto.v1.GetProxyClusterRequest;
import dev.towline.proto.v1.GetProxyUpgradeRequest;
import dev.towline.proto.v1.ListProxiesRequest;
import dev.towline.proto.v1.ListProxiesResponse;
import dev.towline.proto.v1.ListProxyClustersRequest;
import dev.towline.proto.v1.ListProxyClustersResponse;
import dev.towline.proto.v1.MovedClients;
import dev.towline.proto.v1.Proxy;
import dev.towline.proto.v1.ProxyCluster;
import dev.towline.proto.v1.ProxyClusterDetails;
import dev.towline.proto.v1.ProxyClusterServiceGrpc;
import dev.towline.proto.v1.ProxyUpgradeRoll;
import dev.towline.proto.v1.StopProxyClusterRequest;
import dev.towline.proto.v1.StopProxyClusterResponse;
import dev.towline.proto.v1.StopProxyRequest;
import dev.towline.proto.v1.UnmovedClient;
import dev.towline.proto.v1.UpgradeProxiesRequest;
import io.grpc.stub.StreamObserver;
import java.time.Duration;

final class ProxyClusterGrpcService extends ProxyClusterServiceGrpc.ProxyClusterServiceImplBase {
  private final ProxyClusters clusters;
  private final InstallCommands commands;
  private final ClientMoves moves;
  private final ProxyOrders orders;
  private final ProxyUpgrades upgrades;
  private final Sessions sessions;
  private final String fleet;

  ProxyClusterGrpcService(
      ProxyClusters clusters,
      InstallCommands commands,
      ClientMoves moves,
      ProxyOrders orders,
      ProxyUpgrades upgrades,
      Sessions sessions,
      String fleet) {
    this.clusters = clusters;
    this.commands = commands;
    this.moves = moves;
    this.orders = orders;
    this.upgrades = upgrades;
    this.sessions = sessions;
    this.fleet = fleet;
  }

  @Override
  public void createProxyCluster(
      CreateProxyClusterRequest request, StreamObserver<ProxyCluster> out) {
    Replies.reply(
        out,
        cluster(
            new ProxyClusters.View(
                clusters.create(
                    request.getName(),
                    request.getAddress(),
                    request.getDescription(),
                    request.getPort(),
                    request.getHttpPort()),
                0,
                0,
                0,
                0)));
  }

  @Override
  public void getProxyCluster(
      GetProxyClusterRequest request, StreamObserver<ProxyClusterDetails> out) {
    ProxyClusters.View view = clusters.view(request.getCluster());
    ClusterAddresses.Resolution resolution = clusters.resolve(request.getCluster());
    Replies.reply(
        out,
        ProxyClusterDetails.newBuilder()
            .setCluster(cluster(view))
            .addAllProxies(
                clusters.proxies(request.getCluster()).stream().map(this::proxy).toList())
            .addAllAddresses(resolution.addresses())
            .addAllWarnings(resolution.warnings())
            .build());
  }

  @Override
  public void connectClients(ConnectClientsRequest request, StreamObserver<MovedClients> out) {
    Replies.reply(
        out,
        moved(
            moves.connect(
                request.getCluster(),
                request.getSelector(),
                AccessInterceptor.principal().user())));
  }

  @Override
  public void disconnectClients(
      DisconnectClientsRequest request, StreamObserver<MovedClients> out) {
    Replies.reply(
        out,
        moved(
            moves.disconnect(
                request.getCluster(),
                request.getSelector(),
                request.getStrand(),
                AccessInterceptor.principal().user())));
  }

  @Override
  public void deployProxy(DeployProxyRequest request, StreamObserver<DeployProxyResponse> out) {
    InstallCommands.Deployed deployed =
        commands.deployProxy(
            request.getCluster(), request.getHost(), AccessInterceptor.principal().user());
    Replies.reply(
        out,
        DeployProxyResponse.newBuilder()
            .setHostId(deployed.host().id())
            .setHostName(deployed.host().name())
            .setVersion(deployed.version())
            .build());
  }

  @Override
  public void drainProxy(DrainProxyRequest request, StreamObserver<Action> out) {
    String user = AccessInterceptor.principal().user();
    Replies.reply(
        out,
        request.getResume()
            ? orders.resume(request.getProxy(), user)
            : orders.drain(request.getProxy(), Duration.ofMillis(request.getTimeLimitMs()), user));
  }

  @Override
  public void stopProxy(StopProxyRequest request, StreamObserver<Action> out) {
    Replies.reply(
        out,
        orders.stop(request.getProxy(), request.getForce(), AccessInterceptor.principal().user()));
  }

  @Override
  public void stopProxyCluster(
      StopProxyClusterRequest request, StreamObserver<StopProxyClusterResponse> out) {
    Replies.reply(
        out,
        StopProxyClusterResponse.newBuilder()
            .addAllActions(
                orders.stopAll(
                    request.getCluster(), request.getForce(), AccessInterceptor.principal().user()))
            .build());
  }

  @Override
  public void upgradeProxies(UpgradeProxiesRequest request, StreamObserver<ProxyUpgradeRoll> out) {
    Replies.reply(
        out,
        upgrades.begin(
            request.getCluster(), request.getProxy(), AccessInterceptor.principal().user()));
  }

  @Override
  public void getProxyUpgrade(
      GetProxyUpgradeRequest request, StreamObserver<ProxyUpgradeRoll> out) {
    Replies.reply(
        out,
        upgrades
            .last(request.getCluster())
            .orElseGet(() ->
                ProxyUpgradeRoll.newBuilder()
                    .setCluster(request.getCluster())
                    .setEnded(true)
                    .build()));
  }

  @Override
  public void deleteProxy(DeleteProxyRequest request, StreamObserver<Proxy> out) {
    ProxyClusters.Member proxy = clusters.proxy(request.getProxy());
    sessions.revoke(clusters.checkDeletable(request.getProxy()).id(), "deleted from its cluster");
    Replies.reply(out, proxy(proxy));
  }

  private static MovedClients moved(ClientMoves.Moved moved) {
    var answer = MovedClients.newBuilder();
    moved.action().ifPresent(answer::setAction);
    for (ClientMoves.Unmoved unmoved : moved.unmoved()) {
      answer.addUnmoved(
          UnmovedClient.newBuilder()
              .setHostId(unmoved.host().id())
              .setHostName(unmoved.host().name())
              .setReason(unmoved.reason()));
    }
    return answer.build();
  }

  @Override
  public void listProxyClusters(
      ListProxyClustersRequest request, StreamObserver<ListProxyClustersResponse> out) {
    Replies.reply(
        out,
        ListProxyClustersResponse.newBuilder()
            .addAllClusters(clusters.list().stream().map(ProxyClusterGrpcService::cluster).toList())
            .build());
  }

  @Override
  public void deleteProxyCluster(
      DeleteProxyClusterRequest request, StreamObserver<DeleteProxyClusterResponse> out) {
    clusters.delete(request.getCluster());
    Replies.reply(out, DeleteProxyClusterResponse.getDefaultInstance());
  }

  @Override
  public void createProxyCommand(
      CreateProxyCommandRequest request, StreamObserver<CreatedInstallCommand> out) {
    Replies.reply(
        out,
        commands.createForProxy(
            request.getCluster(),
            request.getRelay(),
            Duration.ofMillis(request.getExpiresInMs()),
            AccessInterceptor.principal().user()));
  }

  @Override
  public void listProxies(ListProxiesRequest request, StreamObserver<ListProxiesResponse> out) {
    Replies.reply(
        out,
        ListProxiesResponse.newBuilder()
            .addAllProxies(
                clusters.proxies(request.getCluster()).stream().map(this::proxy).toList())
            .build());
  }

  private static ProxyCluster cluster(ProxyClusters.View view) {
    return ProxyCluster.newBuilder()
        .setName(view.cluster().name())
        .setAddress(view.cluster().address())
        .setDescription(view.cluster().description())
        .setPort(view.cluster().port())
        .setHttpPort(view.cluster().httpPort())
        .setConnectedClients(view.connectedClients())
        .setOnline(view.online())
        .setProxies(view.proxies())
        .setProxiesOnline(view.proxiesOnline())
        .setClients(view.clients())
        .setCreatedMs(view.cluster().createdMs())
        .build();
  }

  private Proxy proxy(ProxyClusters.Member member) {
    Node node = member.node();
    var proxy =
        Proxy.newBuilder()
            .setId(node.id())
            .setName(node.name())
            .setCluster(node.proxyCluster())
            .setState(node.state())
            .setVersion(node.facts().getProgramVersion())
            .setClients(member.clients())
            .setLastSeenMs(node.lastSeenMs())
            .setFacts(node.facts())
            .setPath(member.path())
            .setDraining(member.draining());
    member.agent().ifPresent(agent -> proxy.setAgent(HostMessages.host(agent, fleet)));
    member.report().ifPresent(report -> proxy.setLoad(report.load()));
    return proxy
        .setNewestVersion(upgrades.newest().orElse(""))
        .setUpgradeProblem(upgrades.problem(member))
        .build();
  }
}
