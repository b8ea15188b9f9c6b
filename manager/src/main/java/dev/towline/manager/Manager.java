package dev.towline.manager;

import dev.towline.manager.actions.Actions;
import dev.towline.manager.alerts.AlertOutbox;
import dev.towline.manager.alerts.AlertSender;
import dev.towline.manager.alerts.AlertTransports;
import dev.towline.manager.alerts.Alerts;
import dev.towline.manager.alerts.ReportedAlerts;
import dev.towline.manager.dialling.AgentDialer;
import dev.towline.manager.directives.Directives;
import dev.towline.manager.enrollment.Enrollment;
import dev.towline.manager.enrollment.EnrollmentTokens;
import dev.towline.manager.events.Events;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.fleet.Revoked;
import dev.towline.manager.groups.Groups;
import dev.towline.manager.grpc.AgentCalls;
import dev.towline.manager.grpc.DirectSessionService;
import dev.towline.manager.grpc.EnrollmentGrpcService;
import dev.towline.manager.grpc.SessionServer;
import dev.towline.manager.heartbeat.Heartbeats;
import dev.towline.manager.logs.LogBatches;
import dev.towline.manager.logs.Logs;
import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.policies.Catalogue;
import dev.towline.manager.policies.Policies;
import dev.towline.manager.policies.PolicyDelivery;
import dev.towline.manager.programs.ProgramInstalls;
import dev.towline.manager.proxies.ClusterAddresses;
import dev.towline.manager.proxies.ProxyClusters;
import dev.towline.manager.relays.Relays;
import dev.towline.manager.sending.SendingPolicies;
import dev.towline.manager.sending.SendingReports;
import dev.towline.manager.session.Clones;
import dev.towline.manager.session.Departures;
import dev.towline.manager.session.SessionRegistry;
import dev.towline.manager.session.SessionServices;
import dev.towline.manager.session.Sessions;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.postgres.PostgresDatabase;
import dev.towline.manager.store.sqlite.SqliteDatabase;
import dev.towline.manager.updates.SourceChecks;
import dev.towline.manager.updates.UpdateRepository;
import dev.towline.manager.updates.UpdateServing;
import dev.towline.manager.updates.Updates;
import dev.towline.manager.uplink.UplinkGrpcService;
import dev.towline.manager.uplink.Uplinks;
import dev.towline.runtime.data.DataLock;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.FleetTls;
import java.io.IOException;
import java.net.InetAddress;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running manager: everything is made and connected here.
 *
 * <p>Lifecycle: {@link #start} returns when all listeners answer; {@link #close} stops cleanly, in
 * the reverse order. A manager that is killed instead loses nothing that it acknowledged.
 *
 * <p>Threading: safe for use by several threads.
 *
 * <p>Failure: a start that fails closes what it had opened.
 */
public final class Manager implements AutoCloseable {
  public static final ErrorCode DATA_UNUSABLE = ErrorCode.external("DATA_UNUSABLE");

  private static final Logger log = LoggerFactory.getLogger(Manager.class);
  private static final Duration RENEWAL_PERIOD = Duration.ofMinutes(1);
  private static final Duration RECONNECT_CAP = Duration.ofSeconds(4);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(3);

  private final OpenParts parts;
  private final ManagerServices services;
  private final SessionServer server;

  private Manager(OpenParts parts, ManagerServices services, SessionServer server) {
    this.parts = parts;
    this.services = services;
    this.server = server;
  }

  private static Manager build(
      OpenParts parts, ManagerConfig config, Clock clock, SecureRandom random) throws IOException {
    parts.add(DataLock.take(config.data(), "manager"));
    Store store =
        parts.add(
            config
                .database()
                .map(PostgresDatabase::open)
                .orElseGet(() -> SqliteDatabase.open(config.data().resolve("manager.db"))));
    ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
    parts.add(() -> stop(executor));
    ScheduledExecutorService timer = newTimer("timer");
    parts.add(() -> stop(timer));
    Fleet fleet = Fleet.open(config.data(), hostNames(config), clock, random);
    if (config.tlsProfile().wantsRsa()) {
      fleet.needRsa();
    }
    Events events = new Events(store, clock);
    Revoked revoked = new Revoked(store, clock);
    PeerVerifier verifier = new PeerVerifier(fleet::anchors, revoked, clock);
    SessionRegistry registry = new SessionRegistry();
    Directives directives = new Directives(clock, random, registry);
    Actions actions = new Actions(store, directives, clock, random);
    EnrollmentTokens tokens = new EnrollmentTokens(store, clock, random);
    Relays relays = new Relays(store, tokens, directives, clock, random);
    UpdateRepository repository =
        parts.add(UpdateRepository.open(config.data().resolve("updates"), clock, random));
    Updates updates =
        new Updates(
            repository,
            new UpdateServing(store),
            new SourceChecks(repository, FleetTls.anyServer(verifier).getSocketFactory(), clock));
    Policies policies =
        new Policies(
            store,
            new Catalogue(config.heartbeatInterval(), repository.rootPin()),
            new PolicyDelivery(directives, events, clock),
            directives,
            clock);
    Alerts alerts = new Alerts(store, new AlertOutbox(clock), clock);
    Heartbeats heartbeats = new Heartbeats(store, policies, alerts, events, clock);
    FleetChannels channels =
        parts.add(new FleetChannels(Thread.ofPlatform().daemon().name("dial-", 0).factory()));
    AgentDialer dialer =
        new AgentDialer(
            store, registry, heartbeats, policies, channels, events, clock, random, executor);
    Sessions sessions =
        new Sessions(
                new SessionServices(
                    store,
                    fleet,
                    revoked,
                    verifier,
                    events,
                    actions,
                    relays,
                    new LogBatches(store, fleet.id()),
                    new SendingPolicies(
                        store, directives, new SendingReports(store, events, clock)),
                    policies,
                    heartbeats,
                    new ReportedAlerts(alerts),
                    new Departures(revoked, events, heartbeats, registry),
                    registry,
                    dialer,
                    new Clones(tokens, events, clock),
                    clock,
                    executor,
                    config.heartbeatInterval(),
                    RECONNECT_CAP),
                timer)
            .start();
    Enrollment enrollment =
        new Enrollment(store, fleet, revoked, events, relays, directives, registry, clock, random);
    ManagerServices services =
        new ManagerServices(
            config,
            clock,
            random,
            store,
            fleet,
            new Hosts(store, registry),
            tokens,
            actions,
            new ProxyClusters(
                store, registry, new ClusterAddresses(InetAddress::getAllByName), clock),
            new Groups(store, clock),
            policies,
            heartbeats,
            dialer,
            alerts,
            relays,
            new ProgramInstalls(store, directives),
            updates,
            events,
            new Logs(store, clock).start(timer),
            sessions);
    parts.add(Faces.start(services));
    ScheduledExecutorService alertTimer = newTimer("alerts");
    parts.add(() -> stop(alertTimer));
    AlertSender sender =
        new AlertSender(
            store,
            events,
            new AlertTransports(fleet.id(), hostNames(config).getFirst(), clock),
            clock);
    var _ = alertTimer.scheduleWithFixedDelay(sender::runSafely, 1, 1, TimeUnit.SECONDS);
    // Last, so that thousands of hosts that come back find a manager that is ready for them.
    SessionServer server =
        parts.add(
            SessionServer.start(
                config.listen(),
                config.sessionPort(),
                fleet,
                verifier,
                events,
                config.tlsProfile(),
                executor,
                List.of(
                    new DirectSessionService(sessions),
                    new UplinkGrpcService(
                        new Uplinks(
                            config.tlsProfile(), fleet, verifier, sessions, events, executor)),
                    new EnrollmentGrpcService(enrollment, fleet, clock, registry))));
    dialer.start(new AgentCalls(config.tlsProfile(), fleet, verifier, channels, sessions), timer);
    // Ended before the server: its calls end with them.
    parts.add(sessions);
    var _ =
        timer.scheduleWithFixedDelay(
            fleet::renew, RENEWAL_PERIOD.toSeconds(), RENEWAL_PERIOD.toSeconds(), TimeUnit.SECONDS);
    return new Manager(parts, services, server);
  }

  /**
   * @throws TowlineException when the data directory is in use or can't be used
   */
  public static Manager start(ManagerConfig config, Clock clock, SecureRandom random) {
    OpenParts parts = new OpenParts();
    try {
      return build(parts, config, clock, random);
    } catch (IOException e) {
      parts.close();
      throw new TowlineException(
          DATA_UNUSABLE,
          "manager can't start: " + e.getMessage(),
          "check the directory " + config.data() + " and the addresses of the listeners",
          e);
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  public ManagerServices services() {
    return services;
  }

  /** The port that agents, proxies and relays dial. */
  public int sessionPort() {
    return server.port();
  }

  @Override
  public void close() {
    parts.close();
  }

  private static List<String> hostNames(ManagerConfig config) {
    return Stream.concat(config.advertise().stream(), Stream.of("localhost", "127.0.0.1"))
        .distinct()
        .toList();
  }

  /** What is due after it was stopped is not waited for. */
  private static ScheduledExecutorService newTimer(String name) {
    var timer =
        new ScheduledThreadPoolExecutor(1, Thread.ofPlatform().name(name).daemon().factory());
    timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    return timer;
  }

  private static void stop(ExecutorService executor) {
    executor.shutdown();
    try {
      if (!executor.awaitTermination(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        executor.shutdownNow();
      }
    } catch (InterruptedException e) {
      executor.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }

  /** What has been opened, closed in the reverse order. */
  private static final class OpenParts implements AutoCloseable {
    private final List<AutoCloseable> parts = new ArrayList<>();

    <T extends AutoCloseable> T add(T part) {
      parts.add(part);
      return part;
    }

    @Override
    public void close() {
      for (AutoCloseable part : parts.reversed()) {
        try {
          part.close();
        } catch (Exception e) {
          log.error("stopping {} failed", part, e);
        }
      }
    }
  }
}
