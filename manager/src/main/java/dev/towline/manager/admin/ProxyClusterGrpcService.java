package dev.towline.manager.admin;

import dev.towline.manager.install.InstallCommands;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.proxies.ProxyClusters;
import dev.towline.proto.v1.CreateProxyClusterRequest;
import dev.towline.proto.v1.CreateProxyCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.DeleteProxyClusterRequest;
import dev.towline.proto.v1.DeleteProxyClusterResponse;
import dev.towline.proto.v1.ListProxiesRequest;
import dev.towline.proto.v1.ListProxiesResponse;
import dev.towline.proto.v1.ListProxyClustersRequest;
import dev.towline.proto.v1.ListProxyClustersResponse;
import dev.towline.proto.v1.Proxy;
import dev.towline.proto.v1.ProxyCluster;
import dev.towline.proto.v1.ProxyClusterServiceGrpc;
import io.grpc.stub.StreamObserver;
import java.time.Duration;

final class ProxyClusterGrpcService extends ProxyClusterServiceGrpc.ProxyClusterServiceImplBase {
  private final ProxyClusters clusters;
  private final InstallCommands commands;

  ProxyClusterGrpcService(ProxyClusters clusters, InstallCommands commands) {
    this.clusters = clusters;
    this.commands = commands;
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
                false)));
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
                clusters.proxies(request.getCluster()).stream()
                    .map(ProxyClusterGrpcService::proxy)
                    .toList())
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
        .build();
  }

  private static Proxy proxy(ProxyClusters.Member member) {
    Node node = member.node();
    return Proxy.newBuilder()
        .setId(node.id())
        .setName(node.name())
        .setCluster(node.proxyCluster())
        .setState(node.state())
        .setVersion(node.facts().getProgramVersion())
        .setClients(member.clients())
        .setLastSeenMs(node.lastSeenMs())
        .setFacts(node.facts())
        .build();
  }
}
