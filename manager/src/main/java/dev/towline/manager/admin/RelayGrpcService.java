package dev.towline.manager.admin;

import dev.towline.manager.install.InstallCommands;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.relays.RelayRecord;
import dev.towline.manager.relays.Relays;
import dev.towline.proto.v1.CreateParentCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListRelaysRequest;
import dev.towline.proto.v1.ListRelaysResponse;
import dev.towline.proto.v1.PairRelaysRequest;
import dev.towline.proto.v1.RelayAdminServiceGrpc;
import dev.towline.proto.v1.RelayInfo;
import io.grpc.stub.StreamObserver;
import java.time.Duration;

final class RelayGrpcService extends RelayAdminServiceGrpc.RelayAdminServiceImplBase {
  private final Relays relays;
  private final InstallCommands commands;

  RelayGrpcService(Relays relays, InstallCommands commands) {
    this.relays = relays;
    this.commands = commands;
  }

  @Override
  public void createParentCommand(
      CreateParentCommandRequest request, StreamObserver<CreatedInstallCommand> out) {
    Replies.reply(
        out,
        commands.createForParent(
            request.getName(),
            Duration.ofMillis(request.getExpiresInMs()),
            AccessInterceptor.principal().user()));
  }

  @Override
  public void pairRelays(PairRelaysRequest request, StreamObserver<CreatedInstallCommand> out) {
    Replies.reply(
        out,
        commands.createForChild(
            new Relays.NewPair(
                request.getParent(),
                request.getChild(),
                request.getDialAddress(),
                request.getDownstreamAddress(),
                request.getSessionPort(),
                request.getPublicPort(),
                Duration.ofMillis(request.getExpiresInMs()),
                AccessInterceptor.principal().user())));
  }

  @Override
  public void listRelays(ListRelaysRequest request, StreamObserver<ListRelaysResponse> out) {
    Replies.reply(
        out,
        ListRelaysResponse.newBuilder()
            .addAllRelays(relays.list().stream().map(RelayGrpcService::relay).toList())
            .build());
  }

  private static RelayInfo relay(Relays.View view) {
    RelayRecord relay = view.relay();
    return RelayInfo.newBuilder()
        .setId(relay.id())
        .setName(relay.name())
        .setState(view.node().map(Node::state).orElse(HostState.HOST_STATE_UNSPECIFIED))
        .setVersion(view.node().map(node -> node.facts().getProgramVersion()).orElse(""))
        .addAllParents(view.parents())
        .addAllChildren(view.children())
        .setDialAddress(relay.dialAddress())
        .setDownstreamAddress(relay.downstreamAddress())
        .setSessionPort(relay.sessionPort())
        .setPublicPort(relay.publicPort())
        .setLastSeenMs(view.node().map(Node::lastSeenMs).orElse(0L))
        .build();
  }
}
