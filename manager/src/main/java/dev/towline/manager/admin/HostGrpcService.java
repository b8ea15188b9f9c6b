package dev.towline.manager.admin;

import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.nodes.Node;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostServiceGrpc;
import dev.towline.proto.v1.ListHostsRequest;
import dev.towline.proto.v1.ListHostsResponse;
import dev.towline.runtime.identity.NodeIdentity;
import io.grpc.stub.StreamObserver;

final class HostGrpcService extends HostServiceGrpc.HostServiceImplBase {
  private final Hosts hosts;
  private final String fleet;

  HostGrpcService(Hosts hosts, String fleet) {
    this.hosts = hosts;
    this.fleet = fleet;
  }

  @Override
  public void listHosts(ListHostsRequest request, StreamObserver<ListHostsResponse> out) {
    Hosts.Page page =
        hosts.list(request.getSelector(), request.getPageSize(), request.getPageToken());
    Replies.reply(
        out,
        ListHostsResponse.newBuilder()
            .addAllHosts(page.nodes().stream().map(this::host).toList())
            .setNextPageToken(page.nextPageToken())
            .setTotal(page.total())
            .build());
  }

  @Override
  public void getHost(GetHostRequest request, StreamObserver<Host> out) {
    Replies.reply(out, host(hosts.host(request.getHost())));
  }

  private Host host(Node node) {
    return Host.newBuilder()
        .setId(node.id())
        .setIdentity(new NodeIdentity(fleet, node.role(), node.id()).uri())
        .setName(node.name())
        .setGroup(node.group())
        .setState(node.state())
        .setFacts(node.facts())
        .setPath(node.path())
        .setEnrolledMs(node.enrolledMs())
        .setLastSeenMs(node.lastSeenMs())
        .setCertificateExpiresMs(node.certificateExpiresMs())
        .setInstallCommand(node.token())
        .setGeneration(node.generation())
        .setRegion(node.region())
        .setServiceProvider(node.serviceProvider())
        .addAllTags(node.tags())
        .setTlsProtocol(node.tlsProtocol())
        .setTlsCipherSuite(node.tlsCipherSuite())
        .build();
  }
}
