package dev.towline.bench.communication;

import com.google.protobuf.ByteString;
import dev.towline.agent.direction.ManagerDoor;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import dev.towline.runtime.session.HeartbeatSource;
import dev.towline.runtime.session.NodeSession;
import dev.towline.runtime.session.RefusedHandshakes;
import dev.towline.runtime.session.RevocationRegistry;
import dev.towline.runtime.session.SessionJournal;
import dev.towline.runtime.session.SessionObserver;
import dev.towline.runtime.tls.FleetChannels;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;

/**
 * Many agents' sessions in one process, over several ways in turn, each with the session of a real
 * agent. Says when a policy has come to all of them: wall-clock milliseconds, p99 and last.
 */
public final class PolicyLoad {
  private static final int FIRST_PORT = 21_000;

  private final Clock clock = Clock.systemUTC();
  private final SecureRandom random = new SecureRandom();
  private final Map<String, long[]> arrivals = new ConcurrentHashMap<>();
  private final Map<String, Integer> arrived = new ConcurrentHashMap<>();
  private final FleetChannels channels = new FleetChannels(threads("network-"));
  private final int agents;
  private final CountDownLatch online;

  private PolicyLoad(int agents) {
    this.agents = agents;
    this.online = new CountDownLatch(agents);
  }

  /**
   * @param arguments directory, number of agents, and enrollment files; one that begins with {@code
   *     listen=} is for agents that only listen
   */
  public static void main(String[] arguments) throws Exception {
    int agents = Integer.parseInt(arguments[1]);
    new PolicyLoad(agents)
        .run(Path.of(arguments[0]), List.of(arguments).subList(2, arguments.length));
  }

  private void run(Path directory, List<String> files) throws Exception {
    var client = new EnrollmentClient(channels, clock, random);
    LoadHosts.each(
        agents,
        i -> {
          String file = files.get(i % files.size());
          boolean listens = file.startsWith("listen=");
          EnrollmentFile enrollment =
              EnrollmentFile.read(Path.of(listens ? file.substring("listen=".length()) : file));
          start(client, enrollment, directory.resolve("load-" + i), i, listens);
        });
    online.await();
    System.out.println("load online");
    Thread.currentThread().join();
  }

  private void start(
      EnrollmentClient client, EnrollmentFile file, Path home, int number, boolean listens)
      throws IOException, InterruptedException {
    String name = "load-" + number;
    EnrollmentOutcome.Issued issued = LoadHosts.enroll(client, file, home, name);
    RevocationRegistry revocations = RevocationRegistry.open(home.resolve("revocations"));
    var member =
        new FleetMember(
            new IdentityStore(home.resolve("identity")),
            issued.identity(),
            issued.roots(),
            revocations,
            clock);
    var host = new Host(number, listens ? FIRST_PORT + number : 0);
    var session =
        new NodeSession(
            new NodeSession.Parts(
                member,
                file.servers(),
                Set.of(Role.MANAGER, Role.PROXY),
                () -> LoadHosts.facts(name),
                SessionJournal.open(home.resolve("session.journal")),
                revocations,
                List.of(host),
                host,
                host,
                channels,
                clock,
                System::nanoTime,
                random,
                threads("session-")));
    host.session = session;
    if (listens) {
      var _ =
          ManagerDoor.open(
              host.port,
              channels,
              member,
              session::attached,
              (method, peer, reason) -> {},
              new RefusedHandshakes((code, detail) -> {}, System::nanoTime));
    }
    session.start();
  }

  private void arrived(int number, String value) {
    long now = clock.millis();
    arrivals.computeIfAbsent(value, _ -> new long[agents])[number] = now;
    int count = arrived.merge(value, 1, Integer::sum);
    if (count == agents) {
      long[] times = arrivals.get(value).clone();
      Arrays.sort(times);
      System.out.println(
          "policy %s everywhere: p50 %d p99 %d last %d"
              .formatted(
                  value,
                  times[agents / 2],
                  times[(int) Math.ceil(agents * 0.99) - 1],
                  times[agents - 1]));
    }
  }

  private static ThreadFactory threads(String prefix) {
    return Thread.ofPlatform().daemon().name(prefix, 0).factory();
  }

  /** One host: takes every policy and says so. */
  private final class Host implements DirectiveHandler, HeartbeatSource, SessionObserver {
    private final int number;
    private final int port;
    private volatile ByteString fingerprint = ByteString.EMPTY;
    private NodeSession session;
    private boolean turned;
    private boolean counted;

    Host(int number, int port) {
      this.number = number;
      this.port = port;
    }

    @Override
    public boolean handles(DirectiveKind kind) {
      return kind == DirectiveKind.DIRECTIVE_KIND_SET_POLICY;
    }

    @Override
    public void accepted(AcceptedDirective directive, Progress progress) {
      var policy = directive.content().getSetPolicy();
      fingerprint = policy.getFingerprint();
      arrived(number, policy.getSettingsOrDefault(EffectivePolicy.HEARTBEAT_INTERVAL, "default"));
      progress.finished(DirectiveEnd.of(Outcome.OUTCOME_SUCCEEDED, clock.instant(), ""));
    }

    @Override
    public Content collect() {
      return new Content(List.of(), fingerprint, Map.of());
    }

    @Override
    public Optional<Reach> reach() {
      return Optional.of(
          new Reach(port > 0 ? Direction.MANAGER_INITIATED : Direction.AGENT_INITIATED, port));
    }

    @Override
    public void heartbeatAnswered(Instant managerTime) {
      if (port > 0 && !turned) {
        // The manager knows now where to dial.
        turned = true;
        session.direction(Direction.MANAGER_INITIATED, port);
      } else if (!counted) {
        counted = true;
        online.countDown();
      }
    }
  }
}
