package dev.towline.relay;

import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.TunnelReport;
import dev.towline.relay.child.ChildSettings;
import dev.towline.relay.child.Origin;
import dev.towline.relay.child.RelayChild;
import dev.towline.relay.link.PairingKey;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.parent.ChildListHandler;
import dev.towline.relay.parent.OpenTunnels;
import dev.towline.relay.status.MetricsServer;
import dev.towline.relay.status.StatusKeeper;
import dev.towline.relay.tunnel.CreditBudget;
import dev.towline.runtime.data.DataLock;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.enroll.Membership;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.facts.HostFactsReader;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.session.NodeSession;
import dev.towline.runtime.session.RevocationRegistry;
import dev.towline.runtime.session.SessionJournal;
import dev.towline.runtime.telemetry.BuildInfo;
import dev.towline.runtime.tls.FleetChannels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The relay, put together: a child where its pairing says so, a parent as soon as it is given
 * children, and a session of its own either way. A child's own traffic goes through its own
 * loopback port.
 *
 * <p>Lifecycle: {@link #run} blocks until {@link #stop} or a failure; once. Threading: stop may
 * come from any thread. Failure: a disk that can't be written or a port that can't be listened on
 * ends the relay, everything else is tried again.
 */
final class Relay {
  private static final Logger LOG = LoggerFactory.getLogger(Relay.class);
  private static final int PAIRING_LOOK_MILLIS = 500;

  private final RelaySettings given;
  private final Clock clock;
  private final SecureRandom random;
  private final CountDownLatch stop = new CountDownLatch(1);
  private final CompletableFuture<Void> ended = new CompletableFuture<>();

  Relay(RelaySettings given, Clock clock, SecureRandom random) {
    this.given = given;
    this.clock = clock;
    this.random = random;
  }

  /** How a run ended. */
  sealed interface End {
    record Stopped() implements End {}

    record Refused(String line) implements End {}
  }

  /** Ends the run in an orderly way. */
  void stop() {
    stop.countDown();
    ended.complete(null);
  }

  /** Completes the settings with what pairing and manager said, from files or an earlier start. */
  static RelaySettings withPairing(RelaySettings given) {
    Optional<EnrollmentFile> file = enrollment(given);
    if (file.isPresent()) {
      return given.paired(file.get().settings());
    }
    Path data = Path.of(given.text("data"));
    try {
      Optional<NodeConfig> config = NodeConfig.load(data.resolve("config.json"));
      return config.isEmpty()
          ? given
          : LiveRelay.effective(given, config.get(), new RelayConfigStore(data).load());
    } catch (IOException e) {
      throw given.invalid("data", "a directory whose config.json can be read");
    }
  }

  private static Path enrollmentPath(RelaySettings settings) {
    String path = settings.text("enrollment");
    return path.isEmpty()
        ? Path.of(settings.text("data")).resolve("enrollment.json")
        : Path.of(path);
  }

  private static Optional<EnrollmentFile> enrollment(RelaySettings settings) {
    return Optional.of(enrollmentPath(settings)).filter(Files::exists).map(EnrollmentFile::read);
  }

  End run() throws IOException, InterruptedException, ExecutionException {
    Path data = Path.of(given.text("data"));
    try (DataLock _ = DataLock.take(data, "relay")) {
      return run(data);
    }
  }

  private End run(Path data) throws IOException, InterruptedException, ExecutionException {
    ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(threads("status-"));
    StatusKeeper status =
        new StatusKeeper(
            data.resolve("status.json"),
            clock,
            ProcessHandle.current().pid(),
            timer,
            ended::completeExceptionally);
    String last = "";
    try (RelayIo io = new RelayIo("relay");
        ExecutorService blocking = Executors.newVirtualThreadPerTaskExecutor();
        FleetChannels channels = new FleetChannels(threads("session-network-"))) {
      status.start();
      End end =
          awaitPairing(data, status)
              ? join(data, new Surroundings(io, blocking, channels, status, timer))
              : new End.Stopped();
      last = end instanceof End.Refused(String line) ? line : "";
      return end;
    } finally {
      status.stopped(last);
      timer.shutdownNow();
    }
  }

  /**
   * A child that was set up by hand may start before it was paired (R5): it waits for the file that
   * the pairing gives, and goes on by itself.
   *
   * @return false when it was told to stop before
   */
  private boolean awaitPairing(Path data, StatusKeeper status)
      throws IOException, InterruptedException {
    Path file = enrollmentPath(given);
    if (!given.flag("child")
        || Files.exists(file)
        || new IdentityStore(data.resolve("identity")).load().isPresent()) {
      return true;
    }
    String wanted =
        "a child, but not paired yet: put the enrollment file of 'towline relays pair' at " + file;
    LOG.info("{}", wanted);
    status.waits(wanted);
    while (!stop.await(PAIRING_LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
      if (Files.exists(file)) {
        return true;
      }
    }
    return false;
  }

  private record Surroundings(
      RelayIo io,
      ExecutorService blocking,
      FleetChannels channels,
      StatusKeeper status,
      ScheduledExecutorService timer) {}

  private End join(Path data, Surroundings around)
      throws IOException, InterruptedException, ExecutionException {
    RelayPlan plan = RelayPlan.of(withPairing(given));
    CreditBudget budget = new CreditBudget(plan.tunnelMemory());
    AtomicReference<@Nullable OpenTunnels> passing = new AtomicReference<>();
    Function<ChildSettings, RelayChild> newChild =
        settings ->
            new RelayChild(
                around.io(),
                settings,
                budget,
                clock,
                random,
                source -> {
                  OpenTunnels tunnels = passing.get();
                  return tunnels == null
                      ? Optional.empty()
                      : tunnels
                          .from(source)
                          .map(report ->
                              new Origin(report.getSourceAddress(), report.getHopsList()));
                },
                around.blocking(),
                around.status()::changed);
    Optional<EnrollmentFile> file = enrollment(given);
    boolean registered = new IdentityStore(data.resolve("identity")).load().isPresent();
    RelayChild child = null;
    if (plan.child().isPresent() && !registered && file.isPresent()) {
      child = newChild.apply(plan.child().get());
    }
    try {
      if (child != null && file.isPresent()) {
        RelayChild unregistered = child;
        unregistered.startUnregistered(
            file.get().fleet(),
            file.get().caFingerprint(),
            new PairingKey(file.get().secret().pairingKey()));
        around.status().shows("", () -> LiveRelay.listening(unregistered), unregistered::links);
      }
      RevocationRegistry revocations = RevocationRegistry.open(data.resolve("revocations"));
      HostFactsReader facts = new HostFactsReader(Path.of("/"), BuildInfo.version());
      Membership membership =
          new Membership(
              data,
              Role.RELAY,
              new EnrollmentClient(around.channels(), clock, random),
              clock,
              random,
              stop);
      if (child != null || plan.child().isPresent() && goesThroughItself(data)) {
        var _ = membership.through(List.of(plan.loopback()));
      }
      return switch (membership.establish(
          Optional.of(enrollmentPath(given)), given.text("name"), facts::read, revocations)) {
        case Membership.Start.Refused(String line) -> new End.Refused(line);
        case Membership.Start.Stopped() -> new End.Stopped();
        case Membership.Start.Ready(FleetMember member, NodeConfig config) -> {
          member.speaks(given.tlsProfile());
          AtomicReference<@Nullable NodeSession> session = new AtomicReference<>();
          OpenTunnels tunnels =
              new OpenTunnels(member.self().id(), report -> send(session.get(), report));
          passing.set(tunnels);
          try (LiveRelay relay =
              new LiveRelay(
                  new LiveRelay.Parts(
                      around.io(),
                      budget,
                      data,
                      member,
                      config,
                      tunnels,
                      newChild,
                      clock,
                      random,
                      around.blocking(),
                      around.timer(),
                      around.status()::changed),
                  given,
                  child)) {
            serve(relay, around, member, facts, revocations, session);
          }
          yield new End.Stopped();
        }
      };
    } finally {
      if (child != null) {
        child.close();
      }
    }
  }

  private static boolean goesThroughItself(Path data) throws IOException {
    return NodeConfig.load(data.resolve("config.json"))
        .map(config ->
            config.servers().stream().allMatch(server -> server.host().equals("127.0.0.1")))
        .orElse(true);
  }

  private static void send(@Nullable NodeSession session, TunnelReport report) {
    if (session != null) {
      var _ = session.send(AgentFrame.newBuilder().setTunnel(report).build());
    }
  }

  private void serve(
      LiveRelay relay,
      Surroundings around,
      FleetMember member,
      HostFactsReader facts,
      RevocationRegistry revocations,
      AtomicReference<@Nullable NodeSession> session)
      throws IOException, InterruptedException, ExecutionException {
    Path data = Path.of(given.text("data"));
    StatusKeeper status = around.status();
    status.shows(member.self().uri(), relay::listening, relay::links);
    status.reacts(relay::online, relay::recheck);
    NodeSession started =
        new NodeSession(
            new NodeSession.Parts(
                member,
                relay.servers(),
                Set.of(Role.MANAGER),
                () -> facts.read(relay.name()),
                SessionJournal.open(data.resolve("session.journal")),
                revocations,
                List.of(
                    new ChildListHandler(relay.parent(), relay.childList(), clock, around.timer()),
                    new ConfigureHandler(relay, clock, around.timer())),
                relay::heartbeat,
                status,
                around.channels(),
                clock,
                System::nanoTime,
                random,
                threads("session-")));
    session.set(started);
    relay.start();
    relay.session(started);
    started.start();
    LOG.info("towline-relay ready: {}", member.self());
    try (MetricsServer _ =
        MetricsServer.start(
            relay.settings().text("metrics"),
            relay::links,
            relay::refusals,
            around.io(),
            around.blocking())) {
      ended.get();
      relay.drain();
    } finally {
      started.close(Goodbye.Reason.AGENT_STOP);
    }
  }

  private static ThreadFactory threads(String prefix) {
    return Thread.ofPlatform().daemon().name(prefix, 0).factory();
  }
}
