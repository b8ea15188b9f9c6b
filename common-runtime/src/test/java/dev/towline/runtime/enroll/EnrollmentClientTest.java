package dev.towline.runtime.enroll;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.EnrollmentChallenge;
import dev.towline.proto.v1.EnrollmentIssued;
import dev.towline.proto.v1.EnrollmentProof;
import dev.towline.proto.v1.EnrollmentRefused;
import dev.towline.proto.v1.EnrollmentRequest;
import dev.towline.proto.v1.EnrollmentResponse;
import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.enroll.EnrollmentOutcome.Issued;
import dev.towline.runtime.enroll.EnrollmentOutcome.Refused;
import dev.towline.runtime.enroll.EnrollmentOutcome.Unreachable;
import dev.towline.runtime.enroll.EnrollmentOutcome.Untrusted;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("I3")
final class EnrollmentClientTest {
  private static final byte[] SECRET = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

  private final TestFleet fleet = new TestFleet(Clock.systemUTC());
  private final NodeIdentity self = new NodeIdentity(TestFleet.NAME, Role.AGENT, "a-1");
  private final FleetChannels channels = new FleetChannels(Thread.ofPlatform().daemon().factory());
  private final EnrollmentClient client =
      new EnrollmentClient(channels, Clock.systemUTC(), new SecureRandom());
  private final FakeEnrollment service = new FakeEnrollment();
  @TempDir private Path directory;
  private Server server;

  @BeforeEach
  void start() throws IOException {
    IssuedIdentity manager = fleet.issue(Role.MANAGER, "m1");
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .sslContext(
                FleetTls.server(() -> Optional.of(manager), fleet.verifier(), ClientAuth.OPTIONAL))
            .addService(service)
            .build()
            .start();
  }

  @AfterEach
  void stop() {
    server.shutdownNow();
    channels.close();
  }

  @Test
  void enroll_validToken_storesIdentityWithKeyOfThisHost() throws Exception {
    EnrollmentOutcome outcome = client.enroll(file(fleet, server.getPort()), facts(), store());
    assertThat(outcome).isInstanceOf(Issued.class);
    IssuedIdentity stored = store().load().orElseThrow();
    assertThat(stored.identity()).isEqualTo(self);
    assertThat(stored.leaf()).isEqualTo(((Issued) outcome).identity().leaf());
    assertThat(store().roots()).isEqualTo(fleet.roots());
  }

  @Test
  void enroll_wrongSecret_isRefusedWithTheManagersWords() throws Exception {
    service.secret = new byte[16];
    EnrollmentOutcome outcome = client.enroll(file(fleet, server.getPort()), facts(), store());
    assertThat(outcome).isInstanceOf(Refused.class);
    assertThat(((Refused) outcome).line()).isEqualTo("TOKEN_INVALID: no; make a new one");
    assertThat(store().load()).isEmpty();
  }

  @Test
  void enroll_managerOfAnotherFleet_isUntrustedAndStoresNothing() throws Exception {
    var file = file(new TestFleet(Clock.systemUTC()), server.getPort());
    service.checkProof = false;
    assertThat(client.enroll(file, facts(), store())).isInstanceOf(Untrusted.class);
    assertThat(store().load()).isEmpty();
  }

  @Test
  void enroll_certificateForAnotherKey_isUntrusted() throws Exception {
    service.certifiedKey = Keys.newP256(new SecureRandom()).getPublic();
    EnrollmentOutcome outcome = client.enroll(file(fleet, server.getPort()), facts(), store());
    assertThat(outcome).isInstanceOf(Untrusted.class);
    assertThat(((Untrusted) outcome).detail()).contains("another key");
    assertThat(store().load()).isEmpty();
  }

  @Test
  void enroll_firstServerDown_usesTheNext() throws Exception {
    int closed = FreePorts.next();
    var file = file(fleet, closed, server.getPort());
    assertThat(client.enroll(file, facts(), store())).isInstanceOf(Issued.class);
    assertThat(client.enroll(file(fleet, closed), facts(), store()))
        .isInstanceOf(Unreachable.class);
  }

  @Test
  void recover_expiredCertificate_isReplacedUnderTheSameName() throws Exception {
    IssuedIdentity old = fleet.issue(Role.AGENT, "a-1");
    service.recovering = old;
    EnrollmentOutcome outcome =
        client.recover(old, fleet.roots(), servers(server.getPort()), facts(), store());
    assertThat(outcome).isInstanceOf(Issued.class);
    assertThat(store().load().orElseThrow().leaf()).isNotEqualTo(old.leaf());
  }

  @Test
  void recover_serverOfAnotherFleet_neverHearsOfUs() throws Exception {
    TestFleet foreign = new TestFleet(Clock.systemUTC());
    IssuedIdentity old = foreign.issue(Role.AGENT, "a-1");
    EnrollmentOutcome outcome =
        client.recover(old, foreign.roots(), servers(server.getPort()), facts(), store());
    assertThat(outcome).isInstanceOf(Unreachable.class);
    assertThat(service.calls).isZero();
  }

  @Test
  void file_withProblems_tellsAllOfThemAndNoSecret() {
    assertThatThrownBy(() ->
            EnrollmentFile.parse(
                "{\"fleet\":\"f\",\"role\":\"boss\",\"secret\":\"!!\",\"x\":1}", "e.json"))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("unknown key: x")
        .hasMessageContaining("role: 'boss'")
        .hasMessageContaining("ca-fingerprint")
        .hasMessageContaining("token-id: missing")
        .hasMessageContaining("secret: not base64url")
        .hasMessageContaining("servers: none");
    assertThat(file(fleet, 1).toString()).contains("hidden");
  }

  @Test
  void destroy_leavesNothing() throws Exception {
    Path file = Files.writeString(directory.resolve("e.json"), "secret");
    EnrollmentFile.destroy(file);
    EnrollmentFile.destroy(file);
    assertThat(file).doesNotExist();
  }

  private IdentityStore store() {
    return new IdentityStore(directory.resolve("identity"));
  }

  private static HostFacts facts() {
    return HostFacts.newBuilder().setHostName("h1").build();
  }

  private static List<ServerAddress> servers(int... ports) {
    return Arrays.stream(ports).mapToObj(port -> new ServerAddress("127.0.0.1", port)).toList();
  }

  private static EnrollmentFile file(TestFleet fleet, int... ports) {
    String servers = String.join(",", servers(ports).stream().map(s -> "\"" + s + "\"").toList());
    return EnrollmentFile.parse(
        """
        {"fleet":"%s","role":"agent","ca-fingerprint":"%s","token-id":"t1","secret":"%s",
         "servers":[%s],"settings":{}}
        """
            .formatted(
                TestFleet.NAME,
                Fingerprints.of(fleet.roots().getFirst()),
                Base64.getUrlEncoder().withoutPadding().encodeToString(SECRET),
                servers),
        "test");
  }

  /** The manager's side, with switches for what a wrong one does. */
  private final class FakeEnrollment extends EnrollmentServiceGrpc.EnrollmentServiceImplBase {
    byte[] secret = SECRET;
    boolean checkProof = true;
    PublicKey certifiedKey;
    IssuedIdentity recovering;
    volatile int calls;

    @Override
    public StreamObserver<EnrollmentRequest> enroll(StreamObserver<EnrollmentResponse> answers) {
      calls++;
      byte[] nonce = new byte[32];
      fleet.random().nextBytes(nonce);
      return new StreamObserver<>() {
        @Override
        public void onNext(EnrollmentRequest request) {
          if (!request.hasProof()) {
            answers.onNext(
                EnrollmentResponse.newBuilder()
                    .setChallenge(
                        EnrollmentChallenge.newBuilder().setNonce(ByteString.copyFrom(nonce)))
                    .build());
            return;
          }
          byte[] csr = request.getProof().getCertificateRequest().toByteArray();
          if (checkProof && !proven(request.getProof(), nonce)) {
            answers.onNext(
                EnrollmentResponse.newBuilder()
                    .setRefused(
                        EnrollmentRefused.newBuilder()
                            .setCode("TOKEN_INVALID")
                            .setMessage("no")
                            .setRemedy("make a new one"))
                    .build());
          } else {
            PublicKey key =
                certifiedKey == null ? CertificateRequests.verifiedKey(csr) : certifiedKey;
            answers.onNext(
                EnrollmentResponse.newBuilder()
                    .setIssued(
                        EnrollmentIssued.newBuilder()
                            .addAllChain(
                                Certificates.toProto(fleet.certify(self, key, Duration.ofDays(1))))
                            .addAllRoots(Certificates.toProto(fleet.roots()))
                            .setIdentity(self.uri()))
                    .build());
          }
          answers.onCompleted();
        }

        @Override
        public void onError(Throwable t) {}

        @Override
        public void onCompleted() {}
      };
    }

    private boolean proven(EnrollmentProof said, byte[] nonce) {
      byte[] csr = said.getCertificateRequest().toByteArray();
      byte[] facts = Fingerprints.sha256(said.getFacts().toByteArray());
      byte[] proof = said.getProof().toByteArray();
      byte[] root = Fingerprints.sha256(fleet.roots().getFirst());
      byte[] request = Fingerprints.sha256(csr);
      if (recovering != null) {
        byte[] data =
            ByteString.copyFrom(request)
                .concat(ByteString.copyFrom(nonce))
                .concat(ByteString.copyFrom(root))
                .concat(ByteString.copyFrom(facts))
                .toByteArray();
        return Signatures.verifyP256(
            recovering.leaf().getPublicKey(), "towline recover v1", data, proof);
      }
      return Arrays.equals(
          Signatures.hmacSha256(secret, "towline enroll v1", request, nonce, root, facts), proof);
    }
  }
}
