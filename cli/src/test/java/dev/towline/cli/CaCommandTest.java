package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import dev.towline.cli.error.ExitCodes;
import dev.towline.proto.v1.Ca;
import dev.towline.proto.v1.CaMember;
import dev.towline.proto.v1.CaRoot;
import dev.towline.proto.v1.CaServiceGrpc;
import dev.towline.proto.v1.ErrorInfo;
import dev.towline.proto.v1.FinishCaRotationRequest;
import dev.towline.proto.v1.GetCaRequest;
import dev.towline.proto.v1.RevokeDirectiveKeyRequest;
import dev.towline.proto.v1.RevokeDirectiveKeyResponse;
import dev.towline.proto.v1.Role;
import dev.towline.proto.v1.RollBackCaRotationRequest;
import dev.towline.proto.v1.RotateCaRequest;
import dev.towline.testing.Requirement;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("T3")
final class CaCommandTest {
  @TempDir private Path directory;
  private final List<Message> received = new ArrayList<>();
  private TestCli towline;

  @BeforeEach
  void signIn() throws IOException {
    towline = TestCli.signedIn(directory, new Authority());
  }

  @AfterEach
  void stop() {
    towline.close();
  }

  @Test
  void show_steady_saysWhatEndsWhen() {
    assertThat(towline.run("ca", "show")).isZero();
    assertThat(towline.output())
        .contains(
            "steady: one root, no change under way",
            "aaaa, ends in 10d",
            "3 of 3 members trust the root",
            "3 of 3 members have one of the present CA")
        .doesNotContain("LEFT BEHIND");
  }

  @Test
  void rotate_saysWhoDoesNotTrustTheNewRootYet() {
    assertThat(towline.run("ca", "rotate")).isZero();
    assertThat(((RotateCaRequest) received.getLast()).getLeaveBehind()).isFalse();
    assertThat(towline.output())
        .contains(
            "announced: members are told of the new root",
            "New root",
            "bbbb, ends in 20d",
            "2 of 3 members trust the new root",
            "LEFT BEHIND",
            "laptop-7",
            "agent",
            "new root");
  }

  @Test
  void rotate_leaveBehind_isPassedOn() {
    assertThat(towline.run("ca", "rotate", "--leave-behind")).isZero();
    assertThat(((RotateCaRequest) received.getLast()).getLeaveBehind()).isTrue();
  }

  @Test
  void finish_refused_namesThoseLeftBehindAndTheRemedy() {
    assertThat(towline.run("ca", "finish")).isEqualTo(ExitCodes.FAILED);
    assertThat(towline.errors())
        .contains("1 of 3 members would be left behind: laptop-7", "--leave-behind");
    assertThat(towline.run("ca", "finish", "--leave-behind")).isZero();
    assertThat(((FinishCaRotationRequest) received.getLast()).getLeaveBehind()).isTrue();
  }

  @Test
  void rollback_saysThatMembersGoBack() {
    assertThat(towline.run("ca", "rollback")).isZero();
    assertThat(received.getLast()).isInstanceOf(RollBackCaRotationRequest.class);
    assertThat(towline.output()).contains("rolling-back", "Root to go", "bbbb");
  }

  @Test
  void show_asJson_isTheWholeState() {
    assertThat(towline.run("ca", "show", "-o", "json")).isZero();
    assertThat(towline.output()).contains("\"phase\"", "\"steady\"", "\"fingerprint\"", "\"aaaa\"");
  }

  @Test
  void revokeDirectiveKey_saysTheListsNumber() {
    assertThat(towline.run("ca", "revoke-directive-key", "--reason", "copied")).isZero();
    assertThat(((RevokeDirectiveKeyRequest) received.getLast()).getReason()).isEqualTo("copied");
    assertThat(towline.output()).contains("revocation list 42");
  }

  /** Answers with the phase that a request leads to. */
  private final class Authority extends CaServiceGrpc.CaServiceImplBase {
    @Override
    public void getCa(GetCaRequest request, StreamObserver<Ca> out) {
      answer(request, ca("steady", 3), out);
    }

    @Override
    public void rotateCa(RotateCaRequest request, StreamObserver<Ca> out) {
      answer(request, behind(ca("announced", 2)), out);
    }

    @Override
    public void finishCaRotation(FinishCaRotationRequest request, StreamObserver<Ca> out) {
      if (request.getLeaveBehind()) {
        answer(request, ca("steady", 3), out);
        return;
      }
      String what = "1 of 3 members would be left behind: laptop-7 (certificate)";
      out.onError(
          StatusProto.toStatusRuntimeException(
              com.google.rpc.Status.newBuilder()
                  .setCode(Status.Code.FAILED_PRECONDITION.value())
                  .setMessage(what)
                  .addDetails(
                      Any.pack(
                          ErrorInfo.newBuilder()
                              .setCode("CA_LEFT_BEHIND")
                              .setKind("USER")
                              .setMessage(what)
                              .setRemedy("wait, or go on with --leave-behind")
                              .build()))
                  .build()));
    }

    @Override
    public void rollBackCaRotation(RollBackCaRotationRequest request, StreamObserver<Ca> out) {
      answer(request, ca("rolling-back", 3).setOther(root("bbbb", 20)), out);
    }

    @Override
    public void revokeDirectiveKey(
        RevokeDirectiveKeyRequest request, StreamObserver<RevokeDirectiveKeyResponse> out) {
      received.add(request);
      out.onNext(RevokeDirectiveKeyResponse.newBuilder().setRevocationListNumber(42).build());
      out.onCompleted();
    }

    private void answer(Message request, Ca.Builder ca, StreamObserver<Ca> out) {
      received.add(request);
      out.onNext(ca.build());
      out.onCompleted();
    }

    private Ca.Builder ca(String phase, int trusting) {
      return Ca.newBuilder()
          .setPhase(phase)
          .setSinceMs(TestCli.NOW - 60_000)
          .setRoot(root("aaaa", 10))
          .setIssuingEndsMs(end(100))
          .setManagerCertificateEndsMs(end(5))
          .setMembers(3)
          .setTrusting(trusting)
          .setCertified(3);
    }

    private Ca.Builder behind(Ca.Builder ca) {
      return ca.setOther(root("bbbb", 20))
          .addLeftBehind(
              CaMember.newBuilder()
                  .setRole(Role.ROLE_AGENT)
                  .setId("a7")
                  .setName("laptop-7")
                  .setLastSeenMs(TestCli.NOW - 60_000)
                  .setLacks("new root"));
    }

    private CaRoot root(String fingerprint, int days) {
      return CaRoot.newBuilder().setFingerprint(fingerprint).setEndsMs(end(days)).build();
    }

    private long end(int days) {
      return TestCli.NOW + Duration.ofDays(days).toMillis();
    }
  }
}
