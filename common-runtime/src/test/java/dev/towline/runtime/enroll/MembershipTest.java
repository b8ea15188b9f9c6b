package dev.towline.runtime.enroll;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.enroll.Membership.Start;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

@Requirement("I3")
final class MembershipTest {
  private final TestFleet fleet = new TestFleet(Clock.systemUTC());
  private final FleetChannels channels = new FleetChannels(Thread.ofPlatform().daemon().factory());
  private final CountDownLatch stop = new CountDownLatch(1);
  @TempDir private Path directory;

  @AfterEach
  void close() {
    channels.close();
  }

  @Test
  void establish_memberAlready_isReadyWithoutAsking() throws Exception {
    enrolled();
    Start start = establish(Optional.empty(), "");
    assertThat(start).isInstanceOf(Start.Ready.class);
    Start.Ready ready = (Start.Ready) start;
    assertThat(ready.member().self().id()).isEqualTo("a1");
    assertThat(ready.config().servers()).containsExactly(new ServerAddress("m.example", 7443));
    assertThat(ready.config().name()).isEqualTo("old-name");
  }

  @Test
  void establish_installedTwice_takesServersAndNameAndDestroysTheFile() throws Exception {
    enrolled();
    Path file = file(TestFleet.NAME, "agent", "n.example:443");
    Start.Ready ready = (Start.Ready) establish(Optional.of(file), "new-name");
    assertThat(ready.config().servers()).containsExactly(new ServerAddress("n.example", 443));
    assertThat(file).doesNotExist();
    assertThat(NodeConfig.load(directory.resolve("config.json")).orElseThrow().name())
        .isEqualTo("new-name");
  }

  @Test
  void establish_fileThatHasServedAndCannotGo_doesNotUndoAMove() throws Exception {
    enrolled();
    Path file = file(TestFleet.NAME, "agent", "n.example:443");
    byte[] mounted = Files.readAllBytes(file);
    establish(Optional.of(file), "");
    new NodeConfig(
            "",
            List.of(new ServerAddress("p.example", 443)),
            JsonMapper.shared().createObjectNode())
        .save(directory.resolve("config.json"));
    Files.write(file, mounted);

    Start.Ready ready = (Start.Ready) establish(Optional.of(file), "");

    assertThat(ready.config().servers()).containsExactly(new ServerAddress("p.example", 443));
  }

  @Test
  void establish_fileOfAnotherFleetOrRole_isRefusedInOneLine() throws Exception {
    enrolled();
    Path foreign = file("fleet-2", "agent", "n.example:443");
    assertThat(establish(Optional.of(foreign), ""))
        .isInstanceOfSatisfying(
            Start.Refused.class, refused -> assertThat(refused.line()).contains("fleet-2"));
    assertThat(foreign).exists();
    assertThat(establish(Optional.of(file(TestFleet.NAME, "proxy", "n.example:443")), ""))
        .isInstanceOf(Start.Refused.class);
  }

  @Test
  void establish_neverEnrolledAndNoFile_saysWhatToDo() {
    assertThatThrownBy(() -> establish(Optional.of(directory.resolve("gone")), ""))
        .isInstanceOfSatisfying(
            TowlineException.class, e -> assertThat(e.remedy()).contains("install command"));
  }

  @Test
  void establish_noServerAnswers_triesUntilToldToStopAndKeepsTheFile() throws Exception {
    int closed = FreePorts.next();
    Path file = file(TestFleet.NAME, "agent", "127.0.0.1:" + closed);
    stop.countDown();
    assertThat(establish(Optional.of(file), "")).isInstanceOf(Start.Stopped.class);
    assertThat(file).exists();
  }

  private void enrolled() throws IOException {
    IssuedIdentity identity = fleet.issue(Role.AGENT, "a1");
    new IdentityStore(directory.resolve("identity")).save(identity, fleet.roots());
    new NodeConfig(
            "old-name",
            List.of(new ServerAddress("m.example", 7443)),
            JsonMapper.shared().createObjectNode())
        .save(directory.resolve("config.json"));
  }

  private Path file(String fleetName, String role, String server) throws IOException {
    return Files.writeString(
        directory.resolve(role + ".json"),
        """
        {"fleet":"%s","role":"%s","ca-fingerprint":"%s","token-id":"t","secret":"AAAA",
         "servers":["%s"]}
        """
            .formatted(fleetName, role, "0".repeat(64), server));
  }

  private Start establish(Optional<Path> file, String name) throws Exception {
    return new Membership(
            directory,
            Role.AGENT,
            new EnrollmentClient(channels, Clock.systemUTC(), new SecureRandom()),
            Clock.systemUTC(),
            new SecureRandom(),
            stop)
        .establish(
            file,
            name,
            called -> HostFacts.newBuilder().setHostName(called).build(),
            Revocations.NONE);
  }
}
