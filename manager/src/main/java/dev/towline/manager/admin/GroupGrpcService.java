package dev.towline.manager.admin;

import dev.towline.manager.groups.Groups;
import dev.towline.manager.groups.HostGroup;
import dev.towline.proto.v1.CreateGroupRequest;
import dev.towline.proto.v1.DeleteGroupRequest;
import dev.towline.proto.v1.DeleteGroupResponse;
import dev.towline.proto.v1.Group;
import dev.towline.proto.v1.GroupServiceGrpc;
import dev.towline.proto.v1.ListGroupsRequest;
import dev.towline.proto.v1.ListGroupsResponse;
import dev.towline.proto.v1.RenameGroupRequest;
import io.grpc.stub.StreamObserver;

final class GroupGrpcService extends GroupServiceGrpc.GroupServiceImplBase {
  private final Groups groups;

  GroupGrpcService(Groups groups) {
    this.groups = groups;
  }

  @Override
  public void createGroup(CreateGroupRequest request, StreamObserver<Group> out) {
    Replies.reply(out, group(groups.create(request.getName(), request.getDescription())));
  }

  @Override
  public void listGroups(ListGroupsRequest request, StreamObserver<ListGroupsResponse> out) {
    Replies.reply(
        out,
        ListGroupsResponse.newBuilder()
            .addAllGroups(groups.list().stream().map(GroupGrpcService::group).toList())
            .build());
  }

  @Override
  public void renameGroup(RenameGroupRequest request, StreamObserver<Group> out) {
    Replies.reply(out, group(groups.rename(request.getGroup(), request.getNewName())));
  }

  @Override
  public void deleteGroup(DeleteGroupRequest request, StreamObserver<DeleteGroupResponse> out) {
    groups.delete(request.getGroup());
    Replies.reply(out, DeleteGroupResponse.getDefaultInstance());
  }

  private static Group group(HostGroup group) {
    return Group.newBuilder()
        .setName(group.name())
        .setDescription(group.description())
        .setCreatedMs(group.createdMs())
        .setHosts(group.hosts())
        .setOnline(group.online())
        .build();
  }
}
