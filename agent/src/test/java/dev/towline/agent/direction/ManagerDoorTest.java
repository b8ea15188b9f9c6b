package dev.towline.agent.direction;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.session.RefusedHandshakes;
import dev.towline.runtime.testing.ProfileHandshakes;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an agent's own port speaks, with a TLS that is not ours. */
@Requirement({"D2", "T2"})
final class ManagerDoorTest {
  private static final Duration BOUND = Duration.ofSeconds(60);

  @TempDir private Path directory;

  private final TestFleet fleet = new TestFleet(InstantSource.system());
  private final List<String> events = new CopyOnWriteArrayList<>();

  @Test
  void profileChanges_openDoor_nextConnectionsGoByIt() throws Exception {
    var member =
        new FleetMember(
            new IdentityStore(directory.resolve("identity")),
            fleet.issue(Role.AGENT, "a1"),
            fleet.roots(),
            (identity, serial) -> false,
            InstantSource.system());
    member.listens();
    member.renewRsa(fleet.issueRsa(Role.AGENT, "a1"));
    try (var channels = new FleetChannels(Thread.ofPlatform().daemon().factory())) {
      Door door =
          ManagerDoor.open(
              0,
              channels,
              member,
              (manager, from, answers) -> {
                throw new AssertionError("nobody calls");
              },
              (method, peer, reason) -> {},
              new RefusedHandshakes(
                  (code, detail) -> events.add(code + ": " + detail), System::nanoTime));
      var handshakes =
          ProfileHandshakes.with(door.port(), directory, fleet.roots())
              .as(fleet.issue(Role.MANAGER, "m1"));
      String suite = ProfileHandshakes.GCM.getFirst();
      assertThat(handshakes.connect(List.of()).output()).contains("TLSv1.3");
      assertThat(handshakes.tls12(suite).done()).isFalse();
      Await.until("the event", BOUND, () -> !events.isEmpty());
      assertThat(events.getFirst())
          .contains("tls.refused: 127.0.0.1:")
          .contains(
              "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "profile modern", "tls-profile: strong");
      member.speaks(TlsProfile.COMPATIBLE);
      handshakes.assertProfile(TlsProfile.COMPATIBLE);
      member.speaks(TlsProfile.MODERN);
      assertThat(handshakes.tls12(suite).done()).isFalse();
      door.close();
    }
  }
}
