package dev.towline.manager.admin;

import dev.towline.manager.sending.SendingPolicies;
import dev.towline.proto.v1.GetSendingPolicyRequest;
import dev.towline.proto.v1.SendingPolicyServiceGrpc;
import dev.towline.proto.v1.SendingPolicyView;
import dev.towline.proto.v1.SetSendingPolicyRequest;
import io.grpc.stub.StreamObserver;

final class SendingPolicyGrpcService extends SendingPolicyServiceGrpc.SendingPolicyServiceImplBase {
  private final SendingPolicies policies;

  SendingPolicyGrpcService(SendingPolicies policies) {
    this.policies = policies;
  }

  @Override
  public void getSendingPolicy(
      GetSendingPolicyRequest request, StreamObserver<SendingPolicyView> out) {
    Replies.reply(out, policies.view(request.getCluster()));
  }

  @Override
  public void setSendingPolicy(
      SetSendingPolicyRequest request, StreamObserver<SendingPolicyView> out) {
    Replies.reply(out, policies.set(request));
  }
}
