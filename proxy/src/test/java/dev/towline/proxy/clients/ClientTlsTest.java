package dev.towline.proxy.clients;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.session.RefusedHandshakes;
import dev.towline.runtime.testing.ProfileHandshakes;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The port of a proxy against a TLS that is not ours. */
@Requirement({"T1", "T2"})
class ClientTlsTest {
  private static final Duration BOUND = Duration.ofSeconds(60);

  @TempDir private Path directory;

  private final TestFleet fleet = new TestFleet(InstantSource.system());
  private final List<String> events = new CopyOnWriteArrayList<>();

  @ParameterizedTest
  @EnumSource(TlsProfile.class)
  void everySuite_isTakenExactlyWhereTheProfileHasIt(TlsProfile profile) throws Exception {
    IssuedIdentity proxy = fleet.issue(Role.PROXY, "p1");
    Optional<IssuedIdentity> rsa =
        profile.wantsRsa() ? Optional.of(fleet.issueRsa(Role.PROXY, "p1")) : Optional.empty();
    try (var clients =
        new ClientServer(
            new InetSocketAddress("127.0.0.1", 0),
            FleetTls.server(
                profile,
                () -> Optional.of(proxy),
                () -> rsa,
                fleet.verifier(),
                ClientAuth.OPTIONAL),
            profile,
            fleet.verifier(),
            new SessionServiceGrpc.SessionServiceImplBase() {}.bindService(),
            new EnrollmentServiceGrpc.EnrollmentServiceImplBase() {}.bindService(),
            (method, peer, reason) -> {},
            new RefusedHandshakes(
                (code, detail) -> events.add(code + ": " + detail), System::nanoTime))) {
      ProfileHandshakes.with(clients.port(), directory, fleet.roots()).assertProfile(profile);
    }
    // The first refusal of each: the others are told at most once in a while.
    Await.until("a refusal", BOUND, () -> !events.isEmpty());
    assertThat(events.getFirst())
        .startsWith("tls.refused: 127.0.0.1:")
        .contains("profile " + profile.label() + " accepts", "TLS_");
  }
}
