package dev.towline.bench;

import com.google.protobuf.ByteString;
import dev.towline.manager.Manager;
import dev.towline.manager.ManagerConfig;
import dev.towline.manager.actions.NewAction;
import dev.towline.manager.enrollment.CreatedToken;
import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.enrollment.SourceNetworks;
import dev.towline.manager.fleet.CaState.Phase;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.enroll.EnrollmentSecret;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.session.HeartbeatSource;
import dev.towline.runtime.session.NodeSession;
import dev.towline.runtime.session.RevocationRegistry;
import dev.towline.runtime.session.SessionJournal;
import dev.towline.runtime.session.SessionObserver;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.FreePorts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * The fleet's root is changed under 1,000 live sessions, from the announcement to its end, while
 * every host is given directives all the time. All sessions and the manager share one process.
 */
final class RotationFigures implements Bench.Benchmark {
  private static final int AGENTS = Bench.agents(1_000);
  private static final int ENROLLING = 8;
  private static final Duration BOUND = Duration.ofMinutes(4);
  private static final long LOOK_NANOS = Duration.ofMillis(5).toNanos();

  private final Set<String> gone = ConcurrentHashMap.newKeySet();
  private final AtomicInteger dropped = new AtomicInteger();

  @Override
  public String about() {
    return "the fleet's root is changed under 1,000 live sessions"
        + " (TOWLINE_BENCH_AGENTS=N for fewer)";
  }

  @Override
  public void run(Path repository, Report report) throws Exception {
    Path directory = Files.createTempDirectory("towline-bench-rotation-");
    ManagerConfig config =
        new ManagerConfig(
            directory.resolve("manager"),
            "127.0.0.1",
            FreePorts.next(),
            FreePorts.next(),
            FreePorts.next(),
            FreePorts.next(),
            List.of("127.0.0.1"),
            Optional.empty(),
            Optional.empty(),
            Duration.ofSeconds(10),
            Optional.empty(),
            TlsProfile.MODERN);
    List<NodeSession> sessions = new ArrayList<>();
    try (Manager manager = Manager.start(config, Clock.systemUTC(), new SecureRandom());
        FleetChannels channels = new FleetChannels(Thread.ofPlatform().daemon().factory())) {
      List<FleetMember> members = enroll(manager, channels, directory);
      for (FleetMember member : members) {
        sessions.add(session(member, manager, channels, directory));
      }
      sessions.forEach(NodeSession::start);
      await("all sessions", () -> manager.services().sessions().registry().count() == AGENTS);
      measure(manager, members, report);
      sessions.forEach(NodeSession::close);
    } finally {
      try (Stream<Path> files = Files.walk(directory)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private void measure(Manager manager, List<FleetMember> members, Report report)
      throws InterruptedException {
    var registry = manager.services().sessions().registry();
    var rotation = manager.services().sessions().caRotation();
    var stop = new AtomicBoolean();
    var looks = new AtomicInteger();
    dropped.set(0);
    Thread watcher =
        Thread.ofPlatform()
            .start(() -> {
              while (!stop.get()) {
                for (FleetMember member : members) {
                  if (!registry.isLive(member.self().id())) {
                    gone.add(member.self().id());
                  }
                }
                looks.incrementAndGet();
                LockSupport.parkNanos(LOOK_NANOS);
              }
            });
    List<String> actions = new ArrayList<>();
    Thread orders =
        Thread.ofPlatform()
            .start(() -> {
              while (!stop.get()) {
                actions.add(
                    manager
                        .services()
                        .actions()
                        .create(
                            new NewAction(
                                "all",
                                true,
                                RunAction.getDefaultInstance(),
                                Duration.ofMinutes(10),
                                "bench",
                                ""))
                        .getId());
                LockSupport.parkNanos(Duration.ofSeconds(2).toNanos());
              }
            });
    long from = System.nanoTime();
    rotation.rotate(false);
    await(
        "everybody to have another certificate",
        () ->
            manager.services().fleet().caState().phase() == Phase.REISSUING
                && rotation.progress().certified() == AGENTS);
    rotation.finish(false);
    await(
        "everybody to forget the old root",
        () -> members.stream().allMatch(member -> member.anchors().roots().size() == 1));
    double seconds = (System.nanoTime() - from) / 1e9;
    stop.set(true);
    orders.join();
    watcher.join();
    await(
        "all directives to end",
        () -> actions.stream().allMatch(id -> manager.services().actions().action(id).getEnded()));
    long lost =
        actions.stream()
            .map(id -> manager.services().actions().action(id))
            .map(Action::getTargetsList)
            .flatMap(List::stream)
            .filter(target -> target.getOutcome() != Outcome.OUTCOME_SUCCEEDED)
            .count();
    report.note(
        "%d hosts, %d directives to each while the root changed; presence looked at %d times"
            .formatted(AGENTS, actions.size(), looks.get()));
    report.add(
        Figure.atMost(
            "rotation.sessions_dropped", Math.max(gone.size(), dropped.get()), "hosts", 0));
    report.add(Figure.atMost("rotation.directives_lost", (double) lost, "", 0));
    report.add(Figure.atMost("rotation.duration_s", seconds, "s", 120));
  }

  private List<FleetMember> enroll(Manager manager, FleetChannels channels, Path directory)
      throws Exception {
    CreatedToken token =
        manager
            .services()
            .tokens()
            .create(
                new NewToken(
                    Role.AGENT,
                    "linux",
                    "",
                    "",
                    "",
                    "",
                    "",
                    List.of(),
                    "",
                    "",
                    false,
                    Duration.ofHours(1),
                    0,
                    "bench",
                    "",
                    SourceNetworks.ANY));
    var file =
        new EnrollmentFile(
            manager.services().fleet().id(),
            Role.AGENT,
            manager.services().fleet().rootFingerprint(),
            token.token().id(),
            new EnrollmentSecret(token.secret()),
            List.of(new ServerAddress("127.0.0.1", manager.sessionPort())),
            JsonNodeFactory.instance.objectNode());
    List<Future<FleetMember>> under = new ArrayList<>();
    try (ExecutorService pool = Executors.newFixedThreadPool(ENROLLING)) {
      for (int i = 0; i < AGENTS; i++) {
        String name = "host-" + i;
        under.add(
            pool.submit(() -> {
              var store = new IdentityStore(directory.resolve(name));
              var client = new EnrollmentClient(channels, Clock.systemUTC(), new SecureRandom());
              if (client.enroll(file, facts(name), store)
                  instanceof EnrollmentOutcome.Issued(var identity, var roots)) {
                return new FleetMember(
                    store,
                    identity,
                    roots,
                    RevocationRegistry.open(directory.resolve(name).resolve("revocations")),
                    Clock.systemUTC());
              }
              throw new IllegalStateException(name + " was not enrolled");
            }));
      }
    }
    List<FleetMember> members = new ArrayList<>();
    for (Future<FleetMember> each : under) {
      members.add(each.get());
    }
    return members;
  }

  private NodeSession session(
      FleetMember member, Manager manager, FleetChannels channels, Path directory)
      throws IOException {
    Path home = Files.createDirectories(directory.resolve("session-" + member.self().id()));
    return new NodeSession(
        new NodeSession.Parts(
            member,
            List.of(new ServerAddress("127.0.0.1", manager.sessionPort())),
            Set.of(Role.MANAGER),
            () -> facts(member.self().id()),
            SessionJournal.open(home.resolve("journal")),
            RevocationRegistry.open(home.resolve("revocations")),
            List.of(),
            () -> new HeartbeatSource.Content(List.of(), ByteString.EMPTY, Map.of()),
            new SessionObserver() {
              @Override
              public void online(Established established) {
                // Counted by the manager.
              }

              @Override
              public void offline(String why) {
                dropped.incrementAndGet();
              }

              @Override
              public void failed(Throwable cause) {
                dropped.incrementAndGet();
              }
            },
            channels,
            Clock.systemUTC(),
            System::nanoTime,
            new SecureRandom(),
            Thread.ofVirtual().factory()));
  }

  private static HostFacts facts(String name) {
    return HostFacts.newBuilder()
        .setHostName(name)
        .setOs("debian")
        .setMachineId("machine-of-" + name)
        .setBootId("boot-1")
        .setAssetKind("HOST")
        .build();
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadline > 0) {
        throw new IllegalStateException("waited in vain for " + what);
      }
      LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
    }
  }
}
