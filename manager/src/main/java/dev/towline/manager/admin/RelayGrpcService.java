package dev.towline.manager.admin;

import dev.towline.manager.install.InstallCommands;
import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.relays.RelayRecord;
import dev.towline.manager.relays.Relays;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.CreateParentCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.GetRelayRequest;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListRelaysRequest;
import dev.towline.proto.v1.ListRelaysResponse;
import dev.towline.proto.v1.PairRelaysRequest;
import dev.towline.proto.v1.PairedRelays;
import dev.towline.proto.v1.RelayAdminServiceGrpc;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.proto.v1.RevokeRelayRequest;
import dev.towline.proto.v1.SetChildListRequest;
import dev.towline.proto.v1.SetRelaySettingsRequest;
import dev.towline.proto.v1.UnpairRelaysRequest;
import dev.towline.proto.v1.UnpairRelaysResponse;
import io.grpc.stub.StreamObserver;
import java.time.Duration;

final class RelayGrpcService extends RelayAdminServiceGrpc.RelayAdminServiceImplBase {
  private final Relays relays;
  private final InstallCommands commands;
  private final Hosts hosts;
  private final Sessions sessions;

  RelayGrpcService(Relays relays, InstallCommands commands, Hosts hosts, Sessions sessions) {
    this.relays = relays;
    this.commands = commands;
    this.hosts = hosts;
    this.sessions = sessions;
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
  public void pairRelays(PairRelaysRequest request, StreamObserver<PairedRelays> out) {
    Replies.reply(
        out,
        commands.pair(
            new Relays.NewPair(
                request.getParent(),
                request.getChild(),
                request.getDialAddress(),
                request.getDownstreamAddress(),
                request.getSessionPort(),
                request.getPublicPort(),
                request.getUpdatesPort(),
                Duration.ofMillis(request.getExpiresInMs()),
                AccessInterceptor.principal().user()),
            request.getByHand()));
  }

  @Override
  public void unpairRelays(UnpairRelaysRequest request, StreamObserver<UnpairRelaysResponse> out) {
    relays.unpair(request.getParent(), request.getChild());
    Replies.reply(out, UnpairRelaysResponse.getDefaultInstance());
  }

  @Override
  public void setChildList(SetChildListRequest request, StreamObserver<RelayInfo> out) {
    Replies.reply(out, relays.children(request.getRelay(), request.getChildrenList()));
  }

  @Override
  public void listRelays(ListRelaysRequest request, StreamObserver<ListRelaysResponse> out) {
    Replies.reply(out, ListRelaysResponse.newBuilder().addAllRelays(relays.list()).build());
  }

  @Override
  public void getRelay(GetRelayRequest request, StreamObserver<RelayInfo> out) {
    Replies.reply(out, relays.show(request.getRelay()));
  }

  @Override
  public void setRelaySettings(SetRelaySettingsRequest request, StreamObserver<RelayInfo> out) {
    Replies.reply(out, relays.set(request.getRelay(), request.getSettingsMap()));
  }

  @Override
  public void revokeRelay(RevokeRelayRequest request, StreamObserver<RelayInfo> out) {
    RelayRecord relay = relays.relay(request.getRelay());
    RelayInfo before = relays.show(relay.id());
    if (hosts.node(relay.id()).isPresent()) {
      sessions.revoke(
          relay.id(), request.getReason().isBlank() ? "by an operator" : request.getReason());
    }
    relays.remove(relay.id());
    Replies.reply(
        out,
        before.toBuilder()
            .setState(HostState.HOST_STATE_REVOKED)
            .clearConnections()
            .clearLinks()
            .build());
  }
}
