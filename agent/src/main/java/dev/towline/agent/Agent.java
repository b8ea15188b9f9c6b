package dev.towline.agent;

import dev.towline.agent.actions.ActionHandler;
import dev.towline.agent.actions.ActionRunner;
import dev.towline.agent.direction.DirectionControl;
import dev.towline.agent.direction.Door;
import dev.towline.agent.direction.ManagerDoor;
import dev.towline.agent.direction.QuietDoor;
import dev.towline.agent.firewall.FirewallHandler;
import dev.towline.agent.firewall.HostCommands;
import dev.towline.agent.heartbeat.AgentHeartbeats;
import dev.towline.agent.heartbeat.ClockSteps;
import dev.towline.agent.heartbeat.ShutdownProbe;
import dev.towline.agent.heartbeat.SteadyTime;
import dev.towline.agent.image.ImageMark;
import dev.towline.agent.image.Machine;
import dev.towline.agent.image.NewIdentity;
import dev.towline.agent.logs.LogShipper;
import dev.towline.agent.logs.ProgramLog;
import dev.towline.agent.logs.TailedFiles;
import dev.towline.agent.policy.PolicyFile;
import dev.towline.agent.policy.PolicyHandler;
import dev.towline.agent.programs.ProgramHandler;
import dev.towline.agent.rehome.RehomeHandler;
import dev.towline.agent.status.AgentStatus;
import dev.towline.agent.status.StatusWriter;
import dev.towline.agent.updates.Updater;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.data.DataLock;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.enroll.Membership;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.facts.HostFactsReader;
import dev.towline.runtime.firewall.FirewallPolicy;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.policy.SettingDuration;
import dev.towline.runtime.session.NodeSession;
import dev.towline.runtime.session.RefusedHandshakes;
import dev.towline.runtime.session.RevocationRegistry;
import dev.towline.runtime.session.SessionJournal;
import dev.towline.runtime.spool.DiskFiles;
import dev.towline.runtime.spool.Spool;
import dev.towline.runtime.telemetry.BuildInfo;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent, put together.
 *
 * <p>Lifecycle: {@link #run} blocks until {@link #stop} or a failure; once. Threading: stop may
 * come from any thread. Failure: a disk that can't be written ends the agent, everything else is
 * tried again.
 */
final class Agent {
  private static final Logger log = LoggerFactory.getLogger(Agent.class);
  private static final int LOG_SEGMENT = 256 << 10;
  private static final int LOG_BUFFER = 64 << 10;

  private final AgentSettings settings;
  private final Clock clock;
  private final SecureRandom random;
  private final CountDownLatch stop = new CountDownLatch(1);

  /** Of one run of the session; true when the agent shall begin again as another host. */
  private volatile CompletableFuture<Boolean> ended = new CompletableFuture<>();

  Agent(AgentSettings settings, Clock clock, SecureRandom random) {
    this.settings = settings;
    this.clock = clock;
    this.random = random;
  }

  /** How a run ended. */
  sealed interface End {
    record Stopped() implements End {}

    /** It is a clone and begins again as a host of its own; never the end of {@link #run}. */
    record Again() implements End {}

    record Refused(String line) implements End {}

    /** This host is an image: there is nothing to do here. */
    record Image(String line) implements End {}
  }

  /** Ends the run in an orderly way. */
  void stop() {
    stop.countDown();
    ended.complete(false);
  }

  End run() throws IOException, InterruptedException, ExecutionException {
    End end = runOnce();
    while (end instanceof End.Again) {
      ended = new CompletableFuture<>();
      if (stop.getCount() == 0) {
        return new End.Stopped();
      }
      end = runOnce();
    }
    return end;
  }

  private End runOnce() throws IOException, InterruptedException, ExecutionException {
    Path data = settings.data();
    try (DataLock _ = DataLock.take(data, "agent");
        FleetChannels channels = new FleetChannels(threads("network-"))) {
      Path statusFile = data.resolve("status.json");
      long pid = ProcessHandle.current().pid();
      AgentStatus.without(AgentStatus.State.ENROLLING, pid, "", "", clock.instant())
          .write(statusFile);
      RevocationRegistry revocations = RevocationRegistry.open(data.resolve("revocations"));
      Optional<Path> anew = new NewIdentity(data).begin();
      var image = new ImageMark(data);
      String machine = Machine.mark(Path.of("/"));
      if (image.isSet() && image.isOf(machine) && !Files.exists(data.resolve("identity"))) {
        String line = "this host is an image: its clones enroll when they boot, it does not";
        AgentStatus.without(AgentStatus.State.STOPPED, pid, "", line, clock.instant())
            .write(statusFile);
        return new End.Image(line);
      }
      var reader = new HostFactsReader(Path.of("/"), BuildInfo.version());
      Function<String, HostFacts> facts =
          name -> {
            HostFacts.Builder read = reader.read(name).toBuilder();
            if (image.isSet()) {
              read.setMachineId(ImageMark.machineId(read.getMachineId(), machine));
            }
            return read.setHardwareId(Machine.hashed(machine)).build();
          };
      var membership =
          new Membership(
              data, Role.AGENT, new EnrollmentClient(channels, clock, random), clock, random, stop);
      var policy = PolicyFile.open(data.resolve("policy.json")).policy();
      if (!policy.direction().agentDials()) {
        membership.onlyListens();
      }
      Membership.Start start =
          membership.establish(
              anew.isPresent() ? anew : settings.enrollment(), settings.name(), facts, revocations);
      End end =
          switch (start) {
            case Membership.Start.Refused(String line) -> new End.Refused(line);
            case Membership.Start.Stopped() -> new End.Stopped();
            case Membership.Start.Ready(FleetMember member, NodeConfig config) -> {
              boolean again = serve(member, config, facts, revocations, channels);
              yield again ? new End.Again() : new End.Stopped();
            }
          };
      String detail = end instanceof End.Refused(String line) ? line : "";
      AgentStatus.without(AgentStatus.State.STOPPED, pid, "", detail, clock.instant())
          .write(statusFile);
      return end;
    }
  }

  /** Returns whether to begin again as another host. */
  private boolean serve(
      FleetMember member,
      NodeConfig config,
      Function<String, HostFacts> facts,
      RevocationRegistry revocations,
      FleetChannels channels)
      throws IOException, InterruptedException, ExecutionException {
    Path data = settings.data();
    try (ExecutorService pipes = Executors.newCachedThreadPool(threads("pipe-"))) {
      var runner = new ActionRunner(clock, pipes);
      var actions =
          new ActionHandler(runner, clock, threads("action-"), settings.concurrentActions());
      var programs = new ProgramHandler(data, runner, clock, threads("install-"));
      var firewall =
          new FirewallHandler(
              data.resolve("firewall"),
              HostCommands.real(),
              Path.of("/"),
              clock,
              threads("firewall-"));
      var rehome =
          new RehomeHandler(
              clock,
              servers ->
                  new NodeConfig(config.name(), servers, config.settings())
                      .save(data.resolve("config.json")),
              threads("rehome-"));
      PolicyFile policyFile = PolicyFile.open(data.resolve("policy.json"));
      var policy = new PolicyHandler(policyFile, clock, threads("policy-"));
      var status =
          new StatusWriter(
              data.resolve("status.json"),
              clock,
              ProcessHandle.current().pid(),
              member.identity(),
              ended::completeExceptionally,
              (tokenId, secret) -> beAnother(member, tokenId, secret));
      var memory = new IdleMemory(Runtime.getRuntime(), System::nanoTime);
      var heartbeats =
          new AgentHeartbeats(
              actions,
              firewall::status,
              policy::fingerprint,
              () -> memory.look(actions.active() == 0),
              new ClockSteps(clock, SteadyTime.ofThisMachine()));
      var session =
          new NodeSession(
              new NodeSession.Parts(
                  member,
                  config.servers(),
                  Set.of(Role.MANAGER, Role.PROXY),
                  () -> facts.apply(config.name()),
                  SessionJournal.open(data.resolve("session.journal")),
                  revocations,
                  List.of(actions, programs, rehome, policy, firewall),
                  heartbeats,
                  status,
                  channels,
                  clock,
                  System::nanoTime,
                  random,
                  threads("session-")));
      var updater =
          new Updater(
              data.resolve("updates"),
              member.time(),
              System::nanoTime,
              random,
              () -> FleetTls.anyServer(member.verifier()).getSocketFactory(),
              threads("updates-"),
              session::heartbeatNow);
      heartbeats.attach(updater::report);
      rehome.attach(
          new RehomeHandler.Mover() {
            @Override
            public CompletableFuture<Optional<String>> tryMove(
                List<ServerAddress> servers, Duration limit) {
              return session.tryMove(servers, limit);
            }

            @Override
            public void leaveTo(List<ServerAddress> servers) {
              session.leaveTo(servers);
            }

            @Override
            public boolean dials() {
              return policy.policy().direction().agentDials();
            }
          });
      firewall.attach(
          new FirewallHandler.Session() {
            @Override
            public CompletableFuture<Optional<String>> reconnect(Duration limit) {
              return session.reconnect(limit);
            }

            @Override
            public void event(String code, String detail) {
              session.securityEvent(code, detail);
            }
          });
      var programLog = new ProgramLog();
      var direction =
          new DirectionControl(
              (port, expected) -> {
                member.listens();
                return expected
                    ? door(port, channels, member, session)
                    : QuietDoor.open(
                        port,
                        knockedAt -> door(knockedAt, channels, member, session),
                        threads("door-"));
              },
              new SessionDirection(session),
              DirectionControl.TRIAL,
              threads("listen-"));
      heartbeats.attach(
          new AgentHeartbeats.Connection(
              () -> Optional.of(direction.reach()), direction::module, status::unresolved));
      try (LogShipper logs = logs(member, programLog, actions, policyFile.policy())) {
        session.logs(logs);
        firewall.start();
        policy.attach(
            new PolicyHandler.Effect() {
              @Override
              public void inForce(EffectivePolicy effective) {
                session.heartbeatInterval(interval(effective));
                member.speaks(profile(effective));
                firewall.follow(effective);
                logs.follow(logFiles(effective));
                updater.follow(effective);
                if (settings.ownLog() && ownLog(effective)) {
                  programLog.attach();
                } else {
                  programLog.detach();
                }
                session.heartbeatNow();
              }

              @Override
              public Optional<String> tryOut(EffectivePolicy wanted)
                  throws InterruptedException, ExecutionException {
                firewall.opens(FirewallPolicy.listening(wanted));
                Optional<String> failed = direction.change(wanted);
                if (failed.isPresent()) {
                  firewall.opens(0);
                }
                return failed;
              }
            });
        direction.begin(policy.policy());
        session.start();
        logs.start();
        return ended.get();
      } finally {
        programLog.detach();
        firewall.stop();
        direction.close();
        rehome.stop();
        actions.stop();
        programs.stop();
        policy.stop();
        updater.stop();
        session.close(
            Files.exists(data.resolve("uninstall"))
                ? Goodbye.Reason.UNINSTALL
                : ShutdownProbe.ofThisHost().isShuttingDown()
                    ? Goodbye.Reason.HOST_SHUTDOWN
                    : Goodbye.Reason.AGENT_STOP);
        pipes.shutdownNow();
      }
    }
  }

  private void beAnother(FleetMember member, String tokenId, byte[] secret) {
    Path data = settings.data();
    try {
      new NewIdentity(data)
          .order(
              member.identity().identity().fleet(),
              Fingerprints.of(member.anchors().roots().getLast()),
              tokenId,
              secret,
              NodeConfig.load(data.resolve("config.json")).orElseThrow());
      log.info("this host is a clone and enrolls as a host of its own");
      ended.complete(true);
    } catch (IOException e) {
      ended.completeExceptionally(e);
    }
  }

  private static Door door(
      int port, FleetChannels channels, FleetMember member, NodeSession session)
      throws IOException {
    return ManagerDoor.open(
        port,
        channels,
        member,
        session::attached,
        (method, peer, reason) ->
            session.securityEvent(
                "rpc.denied",
                "%s by %s: %s"
                    .formatted(method, peer.map(NodeIdentity::uri).orElse("somebody"), reason)),
        new RefusedHandshakes(session::securityEvent, System::nanoTime));
  }

  /** The session as the direction's control sees it. */
  private record SessionDirection(NodeSession session) implements DirectionControl.Session {
    @Override
    public void direction(Direction direction, int listenPort) {
      session.direction(direction, listenPort);
    }

    @Override
    public CompletableFuture<Optional<String>> tryCall(int listenPort, Duration limit) {
      return session.tryCall(listenPort, limit);
    }

    @Override
    public CompletableFuture<Optional<String>> tryDial(Duration limit) {
      return session.tryDial(limit);
    }
  }

  private LogShipper logs(
      FleetMember member, ProgramLog programLog, ActionHandler actions, EffectivePolicy policy)
      throws IOException {
    Path directory = settings.data().resolve("logs");
    var options = new Spool.Options((long) settings.logMegabytes() << 20, LOG_SEGMENT, LOG_BUFFER);
    return new LogShipper(
        new LogShipper.Parts(
            () -> Spool.open(DiskFiles.open(directory), options),
            member,
            programLog,
            () -> counters(actions),
            clock,
            System::nanoTime,
            threads("logs-")),
        new TailedFiles(List.copyOf(logFiles(policy)), settings.data().resolve("log-positions")));
  }

  private static Map<String, Long> counters(ActionHandler actions) {
    return Map.of("actions.active", actions.active(), "actions.ended", actions.ended());
  }

  private static Optional<Duration> interval(EffectivePolicy effective) {
    return Optional.ofNullable(effective.settings().get(EffectivePolicy.HEARTBEAT_INTERVAL))
        .flatMap(SettingDuration::parse);
  }

  /** What this version does not know is what it was built with. */
  private static TlsProfile profile(EffectivePolicy effective) {
    return Optional.ofNullable(effective.settings().get(EffectivePolicy.TLS_PROFILE))
        .flatMap(TlsProfile::of)
        .orElse(TlsProfile.MODERN);
  }

  /** Those of the host's own configuration and those of its policy. */
  private Set<Path> logFiles(EffectivePolicy effective) {
    Set<Path> files = new LinkedHashSet<>(settings.logFiles());
    EffectivePolicy.files(
            effective.settings().getOrDefault(EffectivePolicy.LOG_FILES, EffectivePolicy.NO_FILES))
        .forEach(file -> files.add(Path.of(file)));
    return files;
  }

  private static boolean ownLog(EffectivePolicy effective) {
    return !"no".equals(effective.settings().get(EffectivePolicy.OWN_LOG));
  }

  private static ThreadFactory threads(String prefix) {
    return Thread.ofPlatform().daemon().name(prefix, 0).factory();
  }
}
