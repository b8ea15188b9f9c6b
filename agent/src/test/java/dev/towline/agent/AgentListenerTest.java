package dev.towline.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.AgentListenerGrpc;
import dev.towline.proto.v1.Attach;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.Await;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** An agent that only listens, and who may come in. */
@Requirement({"D2", "T3"})
final class AgentListenerTest {
  private final TestFleet fleet = new TestFleet(Clock.systemUTC());
  private final FleetChannels channels = new FleetChannels(Thread.ofPlatform().daemon().factory());
  private final List<ManagedChannel> opened = new ArrayList<>();
  private Agent agent;
  private CompletableFuture<Agent.End> end;
  private int port;
  @TempDir private Path directory;

  @BeforeEach
  void start() throws IOException {
    start(Clock.systemUTC());
  }

  private void start(Clock clock) throws IOException {
    port = FreePorts.next();
    new IdentityStore(directory.resolve("identity"))
        .save(fleet.issue(Role.AGENT, "a1"), fleet.roots());
    new NodeConfig(
            "host-1",
            List.of(new ServerAddress("127.0.0.1", FreePorts.next())),
            JsonMapper.shared().createObjectNode())
        .save(directory.resolve("config.json"));
    Files.writeString(
        directory.resolve("policy.json"),
        """
        {"settings": {"connection.direction": "manager-initiated", "connection.listen-port": "%d"}}
        """
            .formatted(port));
    agent =
        new Agent(
            new AgentSettings(directory, Optional.empty(), "", 4, true, List.of(), 16),
            clock,
            new SecureRandom());
    end =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return agent.run();
              } catch (Exception e) {
                throw new AssertionError(e);
              }
            },
            // It blocks; the common pool may have one thread.
            Thread.ofPlatform().daemon()::start);
  }

  @AfterEach
  void stop() throws Exception {
    end();
    channels.close();
  }

  private void end() throws Exception {
    opened.forEach(ManagedChannel::shutdownNow);
    agent.stop();
    end.get(60, TimeUnit.SECONDS);
  }

  @Test
  void clockWrongByYears_managerOfTheFleetIsGreetedAndItsTimeTaken() throws Exception {
    for (int years : List.of(-4, 6)) {
      end();
      start(Clock.offset(Clock.systemUTC(), Duration.ofDays(365L * years)));
      Dialled manager = dialUntilAnswered(fleet.issue(Role.MANAGER, "m1"), "a1");
      manager.say(
          ManagerFrame.newBuilder()
              .setWelcome(
                  Welcome.newBuilder()
                      .setGeneration(1)
                      .setManagerId("m1")
                      .setHeartbeatIntervalMs(60_000)
                      .setReconnectCapMs(4_000)
                      .setManagerTimeMs(Clock.systemUTC().millis()))
              .build());
      Await.until(
          "a heartbeat",
          () -> manager.frames.stream().anyMatch(frame -> frame.getOpen().hasHeartbeat()));
    }
  }

  @Test
  void managerOfTheFleet_isGreeted() {
    Dialled manager = dialUntilAnswered(fleet.issue(Role.MANAGER, "m1"), "a1");
    assertThat(manager.frames.getFirst().getOpen().getHello().getSessionNonce().size())
        .isEqualTo(32);
  }

  @Test
  void managerThatMeansAnother_isNotGreeted() {
    dialUntilAnswered(fleet.issue(Role.MANAGER, "m1"), "a1");
    Dialled wrong = dial(fleet.issue(Role.MANAGER, "m1"), fleet, "a2");
    Await.until("the end", () -> wrong.over.isDone());
    assertThat(wrong.frames).isEmpty();
  }

  @Test
  void otherRoleOfTheFleet_isRefused() {
    dialUntilAnswered(fleet.issue(Role.MANAGER, "m1"), "a1");
    for (Role role : List.of(Role.AGENT, Role.PROXY, Role.RELAY)) {
      Dialled other = dial(fleet.issue(role, "x1"), fleet, "a1");
      Await.until("the end", () -> other.over.isDone());
      assertThat(other.over.join().getCode()).isEqualTo(Status.Code.PERMISSION_DENIED);
      assertThat(other.frames).isEmpty();
    }
  }

  @Test
  void managerOfAnotherFleet_andNobodyAtAll_failInTheHandshake() {
    dialUntilAnswered(fleet.issue(Role.MANAGER, "m1"), "a1");
    TestFleet stranger = new TestFleet(Clock.systemUTC());
    Dialled foreign = dial(stranger.issue(Role.MANAGER, "m1"), fleet, "a1");
    Await.until("the end", () -> foreign.over.isDone());
    assertThat(foreign.over.join().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    Dialled nobody = dial(null, fleet, "a1");
    Await.until("the end", () -> nobody.over.isDone());
    assertThat(nobody.over.join().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
  }

  private Dialled dialUntilAnswered(IssuedIdentity identity, String agentId) {
    return Await.value(
        "the agent to answer",
        () -> {
          Dialled dialled = dial(identity, fleet, agentId);
          Await.until(
              "an answer or the end", () -> dialled.over.isDone() || !dialled.frames.isEmpty());
          return dialled.frames.isEmpty() ? Optional.empty() : Optional.of(dialled);
        });
  }

  private Dialled dial(@Nullable IssuedIdentity identity, TestFleet trusted, String id) {
    ManagedChannel channel =
        channels.open(
            new ServerAddress("127.0.0.1", port),
            FleetTls.client(() -> Optional.ofNullable(identity), trusted.verifier(), _ -> true));
    opened.add(channel);
    var dialled = new Dialled();
    StreamObserver<DownFrame> down = AgentListenerGrpc.newStub(channel).attach(dialled);
    dialled.down = down;
    down.onNext(DownFrame.newBuilder().setAttach(Attach.newBuilder().setAgent(id)).build());
    return dialled;
  }

  private static final class Dialled implements StreamObserver<UpFrame> {
    private final List<UpFrame> frames = new CopyOnWriteArrayList<>();
    private final CompletableFuture<Status> over = new CompletableFuture<>();
    private @Nullable StreamObserver<DownFrame> down;

    void say(ManagerFrame frame) {
      down.onNext(DownFrame.newBuilder().setOpen(frame).build());
    }

    @Override
    public void onNext(UpFrame frame) {
      frames.add(frame);
    }

    @Override
    public void onError(Throwable failure) {
      over.complete(Status.fromThrowable(failure));
    }

    @Override
    public void onCompleted() {
      over.complete(Status.OK);
    }
  }
}
