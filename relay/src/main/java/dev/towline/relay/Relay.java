package dev.towline.relay;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.proto.v1.RelayChild;
import dev.towline.relay.child.ChildAuthority;
import dev.towline.relay.link.PairingKey;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.parent.ChildListHandler;
import dev.towline.relay.parent.ChildListStore;
import dev.towline.relay.parent.OpenTunnels;
import dev.towline.relay.parent.RelayParent;
import dev.towline.relay.parent.TargetConnector;
import dev.towline.relay.status.LinkView;
import dev.towline.relay.status.StatusKeeper;
import dev.towline.relay.tunnel.CreditBudget;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.enroll.Membership;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.facts.HostFactsReader;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.session.HeartbeatSource;
import dev.towline.runtime.session.NodeSession;
import dev.towline.runtime.session.RevocationRegistry;
import dev.towline.runtime.session.SessionJournal;
import dev.towline.runtime.telemetry.BuildInfo;
import dev.towline.runtime.tls.FleetChannels;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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
  private static final int RECHECK_SECONDS = 30;

  /** What all tunnels together may hold beyond their first credit. */
  private static final long CREDIT_BYTES = 96L << 20;

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

  /** Completes the settings with what the pairing said, from its file or from an earlier start. */
  static RelaySettings withPairing(RelaySettings given) {
    Optional<EnrollmentFile> file = enrollment(given);
    if (file.isPresent()) {
      return given.paired(file.get().settings());
    }
    try {
      return NodeConfig.load(Path.of(given.text("data")).resolve("config.json"))
          .map(config -> given.paired(config.settings()))
          .orElse(given);
    } catch (IOException e) {
      throw given.invalid("data", "a directory whose config.json can be read");
    }
  }

  private static Optional<Path> enrollmentPath(RelaySettings settings) {
    String path = settings.text("enrollment");
    return path.isEmpty() ? Optional.empty() : Optional.of(Path.of(path));
  }

  private static Optional<EnrollmentFile> enrollment(RelaySettings settings) {
    return enrollmentPath(settings).filter(Files::exists).map(EnrollmentFile::read);
  }

  End run() throws IOException, InterruptedException, ExecutionException {
    RelaySettings settings = withPairing(given);
    RelayPlan plan = RelayPlan.of(settings);
    Path data = plan.data();
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
        FleetChannels channels = new FleetChannels(threads("session-network-"))) {
      Files.createDirectories(data);
      status.start();
      CreditBudget budget = new CreditBudget(CREDIT_BYTES);
      dev.towline.relay.child.RelayChild child =
          plan.child()
              .map(childSettings ->
                  new dev.towline.relay.child.RelayChild(
                      io, childSettings, budget, clock, random, status::changed))
              .orElse(null);
      try {
        End end = join(settings, plan, io, channels, budget, child, status, timer);
        last = end instanceof End.Refused(String line) ? line : "";
        return end;
      } finally {
        if (child != null) {
          child.close();
        }
      }
    } finally {
      status.stopped(last);
      timer.shutdownNow();
    }
  }

  private End join(
      RelaySettings settings,
      RelayPlan plan,
      RelayIo io,
      FleetChannels channels,
      CreditBudget budget,
      dev.towline.relay.child.@Nullable RelayChild child,
      StatusKeeper status,
      ScheduledExecutorService timer)
      throws IOException, InterruptedException, ExecutionException {
    Optional<EnrollmentFile> file = enrollment(settings);
    boolean registered = new IdentityStore(plan.data().resolve("identity")).load().isPresent();
    if (child != null && !registered && file.isPresent()) {
      child.startUnregistered(
          file.get().fleet(),
          file.get().caFingerprint(),
          new PairingKey(file.get().secret().pairingKey()));
      status.shows("", () -> listening(child), child::links);
    }
    RevocationRegistry revocations = RevocationRegistry.open(plan.data().resolve("revocations"));
    HostFactsReader facts = new HostFactsReader(Path.of("/"), BuildInfo.version());
    Membership membership =
        new Membership(
            plan.data(),
            Role.RELAY,
            new EnrollmentClient(channels, clock, random),
            clock,
            random,
            stop);
    if (child != null) {
      var _ = membership.through(List.of(plan.loopback()));
    }
    return switch (membership.establish(
        enrollmentPath(settings), settings.text("name"), facts::read, revocations)) {
      case Membership.Start.Refused(String line) -> new End.Refused(line);
      case Membership.Start.Stopped() -> new End.Stopped();
      case Membership.Start.Ready(FleetMember member, NodeConfig config) -> {
        serve(plan, io, channels, budget, child, status, timer, member, config, facts, revocations);
        yield new End.Stopped();
      }
    };
  }

  private void serve(
      RelayPlan plan,
      RelayIo io,
      FleetChannels channels,
      CreditBudget budget,
      dev.towline.relay.child.@Nullable RelayChild child,
      StatusKeeper status,
      ScheduledExecutorService timer,
      FleetMember member,
      NodeConfig config,
      HostFactsReader facts,
      RevocationRegistry revocations)
      throws IOException, InterruptedException, ExecutionException {
    String ownId = member.self().id();
    if (child != null) {
      child.startRegistered(
          new ChildAuthority.Registered(member::presented, member.verifier()), ownId);
    }
    AtomicReference<@Nullable NodeSession> session = new AtomicReference<>();
    OpenTunnels tunnels =
        new OpenTunnels(
            ownId,
            report -> {
              NodeSession present = session.get();
              if (present != null) {
                var _ = present.send(AgentFrame.newBuilder().setTunnel(report).build());
              }
            });
    ChildListStore childList = new ChildListStore(plan.data().resolve("children"));
    try (ExecutorService blocking = Executors.newVirtualThreadPerTaskExecutor();
        RelayParent parent =
            new RelayParent(
                io,
                plan.parent(),
                ownId,
                member::presented,
                () -> member.anchors().roots(),
                member.verifier(),
                new TargetConnector(
                    io,
                    blocking,
                    plan.parent().connectTimeout(),
                    tunnels,
                    plan.targets(config.servers())),
                budget,
                clock,
                random,
                blocking,
                status::changed)) {
      status.shows(
          member.self().uri(),
          () -> child == null ? List.of() : listening(child),
          () -> links(child, parent));
      status.reacts(() -> io.loop().execute(tunnels::reportAll), () -> recheck(child, parent));
      var _ =
          timer.scheduleWithFixedDelay(
              () -> recheck(child, parent), RECHECK_SECONDS, RECHECK_SECONDS, TimeUnit.SECONDS);
      List<RelayChild> children = childList.load();
      if (!children.isEmpty()) {
        parent.children(children);
      }
      NodeSession started =
          new NodeSession(
              new NodeSession.Parts(
                  member,
                  config.servers(),
                  Set.of(Role.MANAGER),
                  () -> facts.read(config.name()),
                  SessionJournal.open(plan.data().resolve("session.journal")),
                  revocations,
                  List.of(new ChildListHandler(parent, childList, clock, timer)),
                  () -> heartbeat(child, parent),
                  status,
                  channels,
                  clock,
                  System::nanoTime,
                  random,
                  threads("session-")));
      session.set(started);
      started.start();
      LOG.info("towline-relay ready: {}", member.self());
      try {
        ended.get();
      } finally {
        started.close(Goodbye.Reason.AGENT_STOP);
      }
    }
  }

  private static void recheck(
      dev.towline.relay.child.@Nullable RelayChild child, RelayParent parent) {
    if (child != null) {
      child.recheck();
    }
    parent.recheck();
  }

  private static List<String> listening(dev.towline.relay.child.RelayChild child) {
    List<String> all = new ArrayList<>();
    all.add("parents on port " + child.port());
    for (InetSocketAddress address : child.listening()) {
      all.add(address.getAddress().getHostAddress() + ":" + address.getPort());
    }
    return all;
  }

  private static List<LinkView> links(
      dev.towline.relay.child.@Nullable RelayChild child, RelayParent parent) {
    List<LinkView> all = new ArrayList<>(parent.links());
    if (child != null) {
      all.addAll(child.links());
    }
    return all;
  }

  private static HeartbeatSource.Content heartbeat(
      dev.towline.relay.child.@Nullable RelayChild child, RelayParent parent) {
    List<LinkView> links = links(child, parent);
    long up = links.stream().filter(link -> link.state() == LinkView.State.UP).count();
    long open = links.stream().mapToLong(link -> link.totals().open()).sum();
    return new HeartbeatSource.Content(
        List.of(
            ModuleStatus.newBuilder()
                .setName("relay")
                .setOnline(links.isEmpty() || up > 0)
                .setDetail(up + " of " + links.size() + " persistent connections up")
                .build()),
        ByteString.EMPTY,
        Map.of("relay.connections", up, "relay.tunnels", open));
  }

  private static ThreadFactory threads(String prefix) {
    return Thread.ofPlatform().daemon().name(prefix, 0).factory();
  }
}
