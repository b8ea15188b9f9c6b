package dev.towline.manager.grpc;

import com.google.protobuf.ByteString;
import dev.towline.manager.enrollment.Enrollment;
import dev.towline.manager.enrollment.EnrollmentVerdict;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.session.SessionRegistry;
import dev.towline.proto.v1.EnrollmentChallenge;
import dev.towline.proto.v1.EnrollmentIssued;
import dev.towline.proto.v1.EnrollmentProof;
import dev.towline.proto.v1.EnrollmentRefused;
import dev.towline.proto.v1.EnrollmentRequest;
import dev.towline.proto.v1.EnrollmentResponse;
import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Role;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One call is one attempt; its challenge lives as long as the call. */
public final class EnrollmentGrpcService extends EnrollmentServiceGrpc.EnrollmentServiceImplBase {
  private final Enrollment enrollment;
  private final Fleet fleet;
  private final InstantSource clock;
  private final SessionRegistry registry;

  public EnrollmentGrpcService(
      Enrollment enrollment, Fleet fleet, InstantSource clock, SessionRegistry registry) {
    this.registry = registry;
    this.enrollment = enrollment;
    this.fleet = fleet;
    this.clock = clock;
  }

  @Override
  public StreamObserver<EnrollmentRequest> enroll(StreamObserver<EnrollmentResponse> responses) {
    return new Attempt(responses, PassedOnSource.ofProxy(), Addresses.remote());
  }

  /** Calls arrive one after another, on a thread that may block. */
  private final class Attempt implements StreamObserver<EnrollmentRequest> {
    private final StreamObserver<EnrollmentResponse> responses;
    private final Optional<String> ofProxy;
    private final String remote;
    private @Nullable EnrollmentRequest first;
    private byte[] nonce = {};
    private boolean over;

    Attempt(StreamObserver<EnrollmentResponse> responses, Optional<String> ofProxy, String remote) {
      this.responses = responses;
      this.ofProxy = ofProxy;
      this.remote = remote;
    }

    @Override
    public void onNext(EnrollmentRequest request) {
      if (over) {
        return;
      }
      EnrollmentRequest begun = first;
      if (begun == null && (request.hasBegin() || request.hasRecover())) {
        first = request;
        Optional<EnrollmentVerdict.Refused> refused = enrollment.check(source());
        if (refused.isPresent()) {
          answer(refused.get());
        } else {
          challenge();
        }
      } else if (begun != null && request.hasProof()) {
        answer(verdict(begun, request.getProof()));
      } else {
        fail(
            Status.INVALID_ARGUMENT.withDescription(
                "step " + request.getStepCase() + " is not due now"));
      }
    }

    /** Asked late: a relay's report of the tunnel takes a way of its own. */
    private String source() {
      return PassedOnSource.of(ofProxy, remote, registry);
    }

    private void challenge() {
      nonce = enrollment.newChallenge();
      responses.onNext(
          EnrollmentResponse.newBuilder()
              .setChallenge(
                  EnrollmentChallenge.newBuilder()
                      .setNonce(ByteString.copyFrom(nonce))
                      .setManagerTimeMs(clock.millis()))
              .build());
    }

    private EnrollmentVerdict verdict(EnrollmentRequest begun, EnrollmentProof proof) {
      if (begun.hasBegin()) {
        Optional<Role> role = Role.ofProto(begun.getBegin().getRole());
        return role.isEmpty()
            ? new EnrollmentVerdict.Refused(
                "REQUEST_INVALID", "role: none (expected: agent, proxy or relay)", "", false)
            : enrollment.enroll(
                begun.getBegin().getTokenId(),
                role.get(),
                nonce,
                proof,
                enrollment.mindsSource(begun.getBegin().getTokenId())
                    ? PassedOnSource.settled(ofProxy, remote, registry)
                    : source());
      }
      List<X509Certificate> chain;
      try {
        chain = Certificates.fromProto(begun.getRecover().getExpiredChainList());
      } catch (IllegalArgumentException e) {
        chain = List.of();
      }
      return enrollment.recover(chain, nonce, proof, source());
    }

    private void answer(EnrollmentVerdict verdict) {
      over = true;
      responses.onNext(
          switch (verdict) {
            case EnrollmentVerdict.Issued issued ->
                EnrollmentResponse.newBuilder()
                    .setIssued(
                        EnrollmentIssued.newBuilder()
                            .addAllChain(Certificates.toProto(issued.chain()))
                            .addAllRoots(Certificates.toProto(fleet.roots()))
                            .addAllRetiredRoots(Certificates.toProto(fleet.retiredRoots()))
                            .setIdentity(issued.identity().uri()))
                    .build();
            case EnrollmentVerdict.Refused refused ->
                EnrollmentResponse.newBuilder()
                    .setRefused(
                        EnrollmentRefused.newBuilder()
                            .setCode(refused.code())
                            .setMessage(refused.message())
                            .setRemedy(refused.remedy())
                            .setRetryable(refused.retryable()))
                    .build();
          });
      responses.onCompleted();
    }

    private void fail(Status status) {
      over = true;
      responses.onError(status.asRuntimeException());
    }

    @Override
    public void onError(Throwable failure) {
      over = true;
    }

    @Override
    public void onCompleted() {
      if (!over) {
        fail(Status.CANCELLED.withDescription("the attempt was not finished"));
      }
    }
  }
}
