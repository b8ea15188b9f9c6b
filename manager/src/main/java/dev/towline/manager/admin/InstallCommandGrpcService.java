package dev.towline.manager.admin;

import dev.towline.manager.install.InstallCommands;
import dev.towline.manager.policies.Policies;
import dev.towline.proto.v1.CopyInstallCommandRequest;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.InstallCommand;
import dev.towline.proto.v1.InstallCommandServiceGrpc;
import dev.towline.proto.v1.ListInstallCommandsRequest;
import dev.towline.proto.v1.ListInstallCommandsResponse;
import dev.towline.proto.v1.RevokeInstallCommandRequest;
import io.grpc.stub.StreamObserver;

final class InstallCommandGrpcService
    extends InstallCommandServiceGrpc.InstallCommandServiceImplBase {
  private final InstallCommands commands;
  private final Policies policies;

  InstallCommandGrpcService(InstallCommands commands, Policies policies) {
    this.policies = policies;
    this.commands = commands;
  }

  @Override
  public void createInstallCommand(
      CreateInstallCommandRequest request, StreamObserver<CreatedInstallCommand> out) {
    if (!request.getPolicy().isEmpty()) {
      policies.checkExists(request.getPolicy());
    }
    Replies.reply(out, commands.createForHosts(request, AccessInterceptor.principal().user()));
  }

  @Override
  public void listInstallCommands(
      ListInstallCommandsRequest request, StreamObserver<ListInstallCommandsResponse> out) {
    Replies.reply(
        out,
        ListInstallCommandsResponse.newBuilder()
            .addAllCommands(commands.list(request.getIncludeEnded()))
            .build());
  }

  @Override
  public void copyInstallCommand(
      CopyInstallCommandRequest request, StreamObserver<CreatedInstallCommand> out) {
    Replies.reply(out, commands.copy(request.getInstallCommand()));
  }

  @Override
  public void revokeInstallCommand(
      RevokeInstallCommandRequest request, StreamObserver<InstallCommand> out) {
    Replies.reply(out, commands.revoke(request.getInstallCommand()));
  }
}
