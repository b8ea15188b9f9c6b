package dev.towline.manager.admin;

import dev.towline.manager.fleet.CaState;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.fleet.TrustStore.MemberTrust;
import dev.towline.manager.session.CaRotation;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.Ca;
import dev.towline.proto.v1.CaMember;
import dev.towline.proto.v1.CaRoot;
import dev.towline.proto.v1.CaServiceGrpc;
import dev.towline.proto.v1.FinishCaRotationRequest;
import dev.towline.proto.v1.GetCaRequest;
import dev.towline.proto.v1.RevokeDirectiveKeyRequest;
import dev.towline.proto.v1.RevokeDirectiveKeyResponse;
import dev.towline.proto.v1.RollBackCaRotationRequest;
import dev.towline.proto.v1.RotateCaRequest;
import dev.towline.runtime.identity.Fingerprints;
import io.grpc.stub.StreamObserver;
import java.security.cert.X509Certificate;

final class CaGrpcService extends CaServiceGrpc.CaServiceImplBase {
  private static final int NAMED = 1000;

  private final CaRotation rotation;
  private final Sessions sessions;
  private final Fleet fleet;

  CaGrpcService(Sessions sessions) {
    this.sessions = sessions;
    this.rotation = sessions.caRotation();
    this.fleet = sessions.services().fleet();
  }

  @Override
  public void getCa(GetCaRequest request, StreamObserver<Ca> out) {
    Replies.reply(out, view(rotation.progress()));
  }

  @Override
  public void rotateCa(RotateCaRequest request, StreamObserver<Ca> out) {
    Replies.reply(out, view(rotation.rotate(request.getLeaveBehind())));
  }

  @Override
  public void finishCaRotation(FinishCaRotationRequest request, StreamObserver<Ca> out) {
    Replies.reply(out, view(rotation.finish(request.getLeaveBehind())));
  }

  @Override
  public void rollBackCaRotation(RollBackCaRotationRequest request, StreamObserver<Ca> out) {
    Replies.reply(out, view(rotation.rollBack()));
  }

  @Override
  public void revokeDirectiveKey(
      RevokeDirectiveKeyRequest request, StreamObserver<RevokeDirectiveKeyResponse> out) {
    rotation.revokeDirectiveKey(
        request.getReason().isBlank() ? "revoked by an operator" : request.getReason());
    Replies.reply(
        out,
        RevokeDirectiveKeyResponse.newBuilder()
            .setRevocationListNumber(sessions.services().revoked().number())
            .build());
  }

  private Ca view(CaRotation.Progress progress) {
    CaState state = progress.state();
    Ca.Builder view =
        Ca.newBuilder()
            .setPhase(state.phase().label())
            .setSinceMs(state.since().toEpochMilli())
            .setRoot(root(state.active()))
            .setIssuingEndsMs(state.issuing().getNotAfter().getTime())
            .setMembers(progress.members())
            .setTrusting(progress.trusting())
            .setCertified(progress.certified())
            .setManagerCertificateEndsMs(fleet.manager().expires().toEpochMilli());
    state.other().ifPresent(other -> view.setOther(root(other)));
    progress.left().stream()
        .limit(NAMED)
        .forEach(left -> {
          MemberTrust member = left.member();
          view.addLeftBehind(
              CaMember.newBuilder()
                  .setRole(member.role().toProto())
                  .setId(member.id())
                  .setName(member.name())
                  .setLastSeenMs(member.lastSeenMs())
                  .setLacks(left.lacks()));
        });
    return view.build();
  }

  private static CaRoot root(X509Certificate root) {
    return CaRoot.newBuilder()
        .setFingerprint(Fingerprints.of(root))
        .setEndsMs(root.getNotAfter().getTime())
        .build();
  }
}
