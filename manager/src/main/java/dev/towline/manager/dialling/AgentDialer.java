package dev.towline.manager.dialling;

import dev.towline.manager.dialling.DialPlan.Listening;
import dev.towline.manager.events.Events;
import dev.towline.manager.heartbeat.Heartbeats;
import dev.towline.manager.nodes.LiveNodes;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.policies.Catalogue;
import dev.towline.manager.policies.Policies;
import dev.towline.manager.policies.PolicyTree;
import dev.towline.manager.session.CallDesk;
import dev.towline.manager.store.Store;
import dev.towline.proto.v1.CallFailed;
import dev.towline.proto.v1.CallRequest;
import dev.towline.proto.v1.HostReport;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Path;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Dials hosts that listen (D1, D2): those whose direction says so, when they have no session, and
 * those that ask for it, to try a new direction.
 *
 * <p>Lifecycle: {@link #start} once the line is there; it works as long as the timer does.
 * Threading: safe for use by several threads; what blocks runs on the executor. Failure: a host
 * that does not answer is dialled again; why it did not is kept for people ({@link #problem}).
 */
public final class AgentDialer implements CallDesk {
  private static final Logger log = LoggerFactory.getLogger(AgentDialer.class);
  private static final Duration PERIOD = Duration.ofSeconds(1);
  private static final Duration LONGEST_CALL = Duration.ofMinutes(1);
  private static final Duration ATTEMPT = Duration.ofSeconds(10);

  private final Store store;
  private final LiveNodes live;
  private final Heartbeats heartbeats;
  private final Policies policies;
  private final FleetChannels channels;
  private final Events events;
  private final InstantSource clock;
  private final Executor executor;
  private final DialPlan plan;
  private final Map<String, String> problems = new ConcurrentHashMap<>();
  private final CompletableFuture<Line> line = new CompletableFuture<>();

  public AgentDialer(
      Store store,
      LiveNodes live,
      Heartbeats heartbeats,
      Policies policies,
      FleetChannels channels,
      Events events,
      InstantSource clock,
      RandomGenerator random,
      Executor executor) {
    this.store = store;
    this.live = live;
    this.heartbeats = heartbeats;
    this.policies = policies;
    this.channels = channels;
    this.events = events;
    this.clock = clock;
    this.executor = executor;
    this.plan = new DialPlan(random);
  }

  public void start(Line telephone, ScheduledExecutorService timer) {
    line.complete(telephone);
    var _ =
        timer.scheduleWithFixedDelay(
            this::tick, PERIOD.toMillis(), PERIOD.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Why the host could not be dialled last; empty when it could, or was not. */
  public Optional<String> problem(String host) {
    return Optional.ofNullable(problems.get(host));
  }

  @Override
  public void asked(String host, CallRequest call, Consumer<ManagerFrame> reply) {
    long limitMs = Math.clamp(call.getLimitMs(), 1, LONGEST_CALL.toMillis());
    executor.execute(() -> {
      Optional<String> problem = call(host, call.getPort(), clock.millis() + limitMs);
      problem.ifPresent(detail -> {
        log.warn("{} asked to be dialled, and could not be: {}", host, detail);
        reply.accept(
            ManagerFrame.newBuilder()
                .setCallFailed(
                    CallFailed.newBuilder().setNumber(call.getNumber()).setDetail(detail))
                .build());
      });
    });
  }

  /** Tries every address, again and again, until one answers; leaves the end to the caller. */
  private Optional<String> call(String host, int port, long untilMs) {
    Optional<String> problem;
    try {
      // A bit earlier than the host, so that it hears why.
      long lastMs = untilMs - ATTEMPT.toMillis();
      do {
        problem = dialOnce(host, port);
        if (problem.isPresent()) {
          TimeUnit.MILLISECONDS.sleep(PERIOD.toMillis());
        }
      } while (problem.isPresent() && clock.millis() < lastMs);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      problem = Optional.of("the manager stops");
    }
    return problem;
  }

  private void tick() {
    try {
      List<Listening> hosts = listening();
      long now = clock.millis();
      List<String> due;
      synchronized (plan) {
        due = plan.due(hosts, live::isLive, now);
      }
      due.forEach(host -> executor.execute(() -> attempt(host)));
    } catch (RuntimeException e) {
      log.error("hosts that listen can't be looked through", e);
    }
  }

  private List<Listening> listening() {
    List<Listening> hosts = new ArrayList<>();
    heartbeats
        .reports()
        .forEach((id, report) -> {
          if (report.getListenPort() > 0) {
            Direction direction =
                Direction.ofLabel(report.getDirection()).orElse(Direction.BIDIRECTIONAL);
            hosts.add(new Listening(id, direction));
          }
        });
    return hosts;
  }

  private void attempt(String host) {
    try {
      int port = heartbeats.report(host).map(HostReport::getListenPort).orElse(0);
      if (port > 0 && isWanted(host)) {
        Optional<String> before = problem(host);
        Optional<String> problem = dialOnce(host, port);
        if (problem.isPresent() && !problem.equals(before)) {
          log.info("{} can't be dialled: {}", host, problem.get());
          if (!direction(host).agentDials()) {
            events.record("direction.unreachable", host, "can't be dialled: " + problem.get());
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.error("dialling {} failed", host, e);
    } finally {
      synchronized (plan) {
        plan.ended(host);
      }
    }
  }

  /** One that dials itself is left alone when it is meant to be away, or is out of reach anyway. */
  private boolean isWanted(String host) {
    Optional<Node> node = store.read(tx -> tx.nodes().find(host));
    if (node.isEmpty() || node.get().revokedMs() > 0) {
      return false;
    }
    if (!direction(host).agentDials()) {
      return node.get().presence() != Presence.UNINSTALLED;
    }
    return node.get().presence() == Presence.OFFLINE
        && node.get().path().getKind() == Path.Kind.DIRECT;
  }

  private Direction direction(String host) {
    return heartbeats
        .report(host)
        .flatMap(report -> Direction.ofLabel(report.getDirection()))
        .orElse(Direction.BIDIRECTIONAL);
  }

  /** Tries every address once. */
  private Optional<String> dialOnce(String host, int port) throws InterruptedException {
    List<ServerAddress> addresses = addresses(host, port);
    List<String> failures = new ArrayList<>();
    for (ServerAddress named : addresses) {
      List<ServerAddress> behind;
      try {
        behind = channels.resolve(named).get();
      } catch (ExecutionException e) {
        failures.add(
            "%s can't be looked up: %s".formatted(named, FleetChannels.resolversAnswer(cause(e))));
        continue;
      }
      for (ServerAddress address : behind) {
        Optional<String> failure = dial(host, address);
        if (failure.isEmpty()) {
          problems.remove(host);
          heartbeats.reachedAt(host, address.port());
          return Optional.empty();
        }
        failures.add(address + ": " + failure.get());
      }
    }
    String problem =
        failures.isEmpty()
            ? "no address is known at which it could be dialled; set " + Catalogue.CALL_ADDRESS
            : String.join("; ", failures);
    problems.put(host, problem);
    return Optional.of(problem);
  }

  private Optional<String> dial(String host, ServerAddress address) throws InterruptedException {
    try {
      return line.get()
          .dial(host, address)
          .completeOnTimeout(
              Optional.of("no answer within " + ATTEMPT.toSeconds() + " s"),
              ATTEMPT.toMillis(),
              TimeUnit.MILLISECONDS)
          .get();
    } catch (ExecutionException e) {
      return Optional.of(String.valueOf(cause(e).getMessage()));
    }
  }

  /** What was set, else where it came from, else what it says about itself. */
  private List<ServerAddress> addresses(String host, int port) {
    Optional<Node> found = store.read(tx -> tx.nodes().find(host));
    if (found.isEmpty() || found.get().role() != Role.AGENT || port < 1 || port > 65_535) {
      return List.of();
    }
    Node node = found.get();
    PolicyTree tree = policies.recentTree();
    String set = tree.value(host, node.policy(), Catalogue.CALL_ADDRESS);
    LinkedHashSet<ServerAddress> addresses = new LinkedHashSet<>();
    if (!set.isEmpty()) {
      for (String address : set.split(",")) {
        ServerAddress.parse(address)
            .or(() -> ServerAddress.parse(address + ":" + port))
            .ifPresent(addresses::add);
      }
      return List.copyOf(addresses);
    }
    if (node.path().getKind() == Path.Kind.DIRECT) {
      ServerAddress.parse(node.path().getSourceAddress())
          .or(() -> bare(node.path().getSourceAddress()))
          .ifPresent(source -> addresses.add(new ServerAddress(source.host(), port)));
    }
    return List.copyOf(addresses);
  }

  /** An IPv6 address is kept without brackets. */
  private static Optional<ServerAddress> bare(String source) {
    int colon = source.lastIndexOf(':');
    return colon <= 0
        ? Optional.empty()
        : ServerAddress.parse("[" + source.substring(0, colon) + "]" + source.substring(colon));
  }

  private static Throwable cause(ExecutionException e) {
    @Nullable Throwable cause = e.getCause();
    return cause == null ? e : cause;
  }
}
