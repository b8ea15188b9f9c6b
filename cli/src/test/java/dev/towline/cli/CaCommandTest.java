package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.login.LoginStore;
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
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.testing.Requirement;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("T3")
final class CaCommandTest {
  private static final long NOW = 1_000_000_000_000L;
  private static final InstantSource CLOCK = InstantSource.fixed(Instant.ofEpochMilli(NOW));

  @TempDir private Path directory;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final List<Message> received = new ArrayList<>();
  private FakeAdmin manager;

  @BeforeEach
  void start() throws IOException {
    manager = new FakeAdmin(CLOCK, new Authority());
    Path password = Files.writeString(directory.resolve("password"), FakeAdmin.PASSWORD + "\n");
    assertThat(
            towline(
                "login",
                "https://manager:8444",
                "--password-file",
                password.toString(),
                "--ca-fingerprint",
                Fingerprints.of(manager.chain.getLast())))
        .isZero();
    out.reset();
  }

  @AfterEach
  void stop() {
    manager.close();
  }

  @Test
  void show_steady_saysWhatEndsWhen() {
    assertThat(towline("ca", "show")).isZero();
    assertThat(text())
        .contains(
            "steady: one root, no change under way",
            "aaaa, ends in 10d",
            "3 of 3 members trust the root",
            "3 of 3 members have one of the present CA")
        .doesNotContain("LEFT BEHIND");
  }

  @Test
  void rotate_saysWhoDoesNotTrustTheNewRootYet() {
    assertThat(towline("ca", "rotate")).isZero();
    assertThat(((RotateCaRequest) received.getLast()).getLeaveBehind()).isFalse();
    assertThat(text())
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
    assertThat(towline("ca", "rotate", "--leave-behind")).isZero();
    assertThat(((RotateCaRequest) received.getLast()).getLeaveBehind()).isTrue();
  }

  @Test
  void finish_refused_namesThoseLeftBehindAndTheRemedy() {
    assertThat(towline("ca", "finish")).isEqualTo(ExitCodes.FAILED);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .contains("1 of 3 members would be left behind: laptop-7", "--leave-behind");
    assertThat(towline("ca", "finish", "--leave-behind")).isZero();
    assertThat(((FinishCaRotationRequest) received.getLast()).getLeaveBehind()).isTrue();
  }

  @Test
  void rollback_saysThatMembersGoBack() {
    assertThat(towline("ca", "rollback")).isZero();
    assertThat(received.getLast()).isInstanceOf(RollBackCaRotationRequest.class);
    assertThat(text()).contains("rolling-back", "Root to go", "bbbb");
  }

  @Test
  void show_asJson_isTheWholeState() {
    assertThat(towline("ca", "show", "-o", "json")).isZero();
    assertThat(text()).contains("\"phase\"", "\"steady\"", "\"fingerprint\"", "\"aaaa\"");
  }

  @Test
  void revokeDirectiveKey_saysTheListsNumber() {
    assertThat(towline("ca", "revoke-directive-key", "--reason", "copied")).isZero();
    assertThat(((RevokeDirectiveKeyRequest) received.getLast()).getReason()).isEqualTo("copied");
    assertThat(text()).contains("revocation list 42");
  }

  private int towline(String... arguments) {
    var context =
        new CliContext(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            Map.of(),
            CLOCK,
            new LoginStore(directory.resolve("config")),
            manager,
            new NobodyThere());
    return TowlineCommand.run(context, arguments);
  }

  private String text() {
    return out.toString(StandardCharsets.UTF_8);
  }

  private static final class NobodyThere implements Terminal {
    @Override
    public boolean isPresent() {
      return false;
    }

    @Override
    public Optional<String> ask(String question) {
      return Optional.empty();
    }

    @Override
    public Optional<String> askSecret(String question) {
      return Optional.empty();
    }
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
          .setSinceMs(NOW - 60_000)
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
                  .setLastSeenMs(NOW - 60_000)
                  .setLacks("new root"));
    }

    private CaRoot root(String fingerprint, int days) {
      return CaRoot.newBuilder().setFingerprint(fingerprint).setEndsMs(end(days)).build();
    }

    private long end(int days) {
      return NOW + Duration.ofDays(days).toMillis();
    }
  }
}
