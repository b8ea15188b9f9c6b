package dev.towline.manager.admin;

import dev.towline.manager.access.Access;
import dev.towline.proto.v1.AuthServiceGrpc;
import dev.towline.proto.v1.ChangePasswordRequest;
import dev.towline.proto.v1.ChangePasswordResponse;
import dev.towline.proto.v1.SignInRequest;
import dev.towline.proto.v1.SignInResponse;
import dev.towline.proto.v1.SignOutRequest;
import dev.towline.proto.v1.SignOutResponse;
import io.grpc.stub.StreamObserver;

final class AuthGrpcService extends AuthServiceGrpc.AuthServiceImplBase {
  private final Access access;

  AuthGrpcService(Access access) {
    this.access = access;
  }

  @Override
  public void signIn(SignInRequest request, StreamObserver<SignInResponse> out) {
    Access.SignedIn signedIn = access.signIn(request.getUser(), request.getPassword());
    Replies.reply(
        out,
        SignInResponse.newBuilder()
            .setToken(signedIn.token())
            .setExpiresMs(signedIn.expiresMs())
            .setPasswordChangeAdvised(signedIn.passwordChangeAdvised())
            .build());
  }

  @Override
  public void changePassword(
      ChangePasswordRequest request, StreamObserver<ChangePasswordResponse> out) {
    access.changePassword(
        AccessInterceptor.principal(), request.getCurrentPassword(), request.getNewPassword());
    Replies.reply(out, ChangePasswordResponse.getDefaultInstance());
  }

  @Override
  public void signOut(SignOutRequest request, StreamObserver<SignOutResponse> out) {
    access.signOut(AccessInterceptor.principal());
    Replies.reply(out, SignOutResponse.getDefaultInstance());
  }
}
