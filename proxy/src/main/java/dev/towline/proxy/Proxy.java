package dev.towline.proxy;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.RevocationList;
import dev.towline.proto.v1.UplinkReport;
import dev.towline.proxy.clients.ClientServer;
import dev.towline.proxy.clients.SessionForwarder;
import dev.towline.proxy.config.ProxyConfig;
import dev.towline.proxy.control.ControlHandler;
import dev.towline.proxy.control.Drainage;
import dev.towline.proxy.control.StopRequest;
import dev.towline.proxy.enrollment.EnrollmentForwarder;
import dev.towline.proxy.mirror.ManagerSite;
import dev.towline.proxy.mirror.MirrorServer;
import dev.towline.proxy.mirror.PackageCache;
import dev.towline.proxy.mirror.UpdateMirror;
import dev.towline.proxy.spool.Exporter;
import dev.towline.proxy.spool.Keeper;
import dev.towline.proxy.spool.SendingHandler;
import dev.towline.proxy.status.HostShare;
import dev.towline.proxy.status.ProcessLoad;
import dev.towline.proxy.status.StatusFile;
import dev.towline.proxy.uplink.UplinkChannels;
import dev.towline.proxy.uplink.UplinkConnector;
import dev.towline.proxy.uplink.UplinkLimits;
import dev.towline.proxy.uplink.UplinkMux;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.session.DirectiveHandler;
import dev.towline.runtime.session.NodeSession;
import dev.towline.runtime.session.RefusedHandshakes;
import dev.towline.runtime.session.RevocationRegistry;
import dev.towline.runtime.session.SessionJournal;
import dev.towline.runtime.session.SessionObserver;
import dev.towline.runtime.spool.DiskFiles;
import dev.towline.runtime.spool.Spool;
import dev.towline.runtime.telemetry.BuildInfo;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.PeerInterceptor;
import dev.towline.runtime.tls.Turns;
import io.grpc.SynchronizationContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running proxy: all its parts, put together.
 *
 * <p>Lifecycle: {@link #start} returns when every port listens; {@link #close} tells the agents,
 * says goodbye to the manager and ends, in the reverse order. A start that fails leaves nothing.
 *
 * <p>Threading: agents and uplink share one serial order that runs on whichever of gRPC's threads
 * has something to do; the session with the manager and the mirror have their own threads.
 *
 * <p>Failure: without a manager everything stays up and waits for one.
 */
final class Proxy implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Proxy.class);
  private static final Duration STATUS_INTERVAL = Duration.ofSeconds(2);
  private static final Duration LAST_WORDS = Duration.ofMillis(300);

  /** For a signal; who stops the proxy by order or command waits longer. */
  private static final Duration DRAIN_TIME = Duration.ofSeconds(4);

  private static final Duration STOP_DRAIN_TIME = Duration.ofSeconds(60);
  private static final Duration STOP_DELAY = Duration.ofSeconds(1);
  private static final int SPOOL_SEGMENT = 64 << 20;
  private static final int RECORDS_SEGMENT = 4 << 20;

  private static final Duration DENIAL_REPORT = Duration.ofSeconds(10);

  private final Deque<AutoCloseable> parts = new ArrayDeque<>();
  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile boolean stopped;

  /** What comes from outside. */
  record World(
      Path data,
      FleetMember member,
      RevocationRegistry revocations,
      FleetChannels channels,
      HostFacts facts,
      InstantSource clock,
      SecureRandom random,
      ThreadFactory threads) {}

  private Proxy() {}

  static Proxy start(ProxyConfig config, World world) throws IOException {
    var proxy = new Proxy();
    try {
      proxy.build(config, world);
      return proxy;
    } catch (IOException | RuntimeException e) {
      proxy.close();
      throw e;
    }
  }

  private void build(ProxyConfig config, World world) throws IOException {
    FleetMember member = world.member();
    member.speaks(config.tlsProfile());
    member.listens();
    var statusFile = new StatusFile(world.data().resolve("status.json"));
    parts.push(statusFile::delete);
    ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(world.threads());
    parts.push(timer::shutdownNow);

    var serial =
        new SynchronizationContext(
            (thread, fault) -> log.error("a defect in the session path", fault));
    var mux = new UplinkMux(UplinkLimits.DEFAULTS, System::nanoTime);
    var drainage = new Drainage(mux, serial);
    var health =
        new ProxyHealth(new ProcessLoad(Path.of("/proc"), System::nanoTime), drainage::isDraining);
    var uplinkChannels =
        new UplinkChannels(config.tlsProfile(), member::presented, member.verifier());
    var uplink =
        new UplinkConnector(
            mux,
            serial,
            timer,
            config.servers(),
            uplinkChannels::open,
            config.uplinkConnections(),
            UUID.randomUUID().toString(),
            world.random(),
            health);
    parts.push(uplink);
    Keeper keeper = keeper(world, mux, serial);
    parts.push(keeper);
    serial.execute(() -> mux.kept(keeper, serial));

    ExecutorService orders = Executors.newSingleThreadExecutor(world.threads());
    parts.push(orders::shutdownNow);
    var control =
        new ControlHandler(
            drainage,
            world.clock(),
            orders,
            () -> {
              var _ = timer.schedule(this::stop, STOP_DELAY.toMillis(), TimeUnit.MILLISECONDS);
            });
    var sending =
        new SendingHandler(world.data(), world.clock(), orders, keeper::policy, keeper::refused);
    NodeSession session =
        session(config, world, health, mux, serial, uplink, List.of(control, sending));
    parts.push(() ->
        session.close(
            Files.exists(world.data().resolve("uninstall"))
                ? Goodbye.Reason.UNINSTALL
                : Goodbye.Reason.AGENT_STOP));

    var clients =
        new ClientServer(
            new InetSocketAddress(config.listen(), config.port()),
            member.serverTls(ClientAuth.OPTIONAL),
            config.tlsProfile(),
            member.verifier(),
            new SessionForwarder(mux, serial).service(),
            new EnrollmentForwarder(uplink::channel).service(),
            reporter(session),
            new RefusedHandshakes(session::securityEvent, System::nanoTime));
    parts.push(() -> drain(drainage, mux, serial, clients));

    if (!config.httpPorts().isEmpty() || !config.httpsPorts().isEmpty()) {
      mirror(config, world);
    }

    session.start();
    uplink.start();
    status(statusFile, world, health, mux, serial, keeper, timer);
    watchStopRequests(new StopRequest(world.data()), drainage, orders, timer);
    log.info("agents are accepted on {}:{}", config.listen(), clients.port());
  }

  private static Keeper keeper(World world, UplinkMux mux, SynchronizationContext serial)
      throws IOException {
    Path directory = world.data().resolve("spool");
    Path records = world.data().resolve("records");
    var keepers = new Keeper[1];
    var host =
        new HostShare(
            Path.of("/proc"),
            Path.of("/sys/fs/cgroup"),
            new ProcessLoad(Path.of("/proc"), System::nanoTime),
            world.data(),
            () -> keepers[0].load().quota());
    keepers[0] =
        new Keeper(
            new Keeper.Parts(
                world.member().self().id(),
                quota ->
                    Spool.open(DiskFiles.open(directory), new Spool.Options(quota, SPOOL_SEGMENT)),
                quota ->
                    Spool.open(DiskFiles.open(records), new Spool.Options(quota, RECORDS_SEGMENT)),
                new Keeper.Way() {
                  @Override
                  public void send(long number, KeptRecord record) {
                    serial.execute(() -> mux.sendKept(number, record));
                  }

                  @Override
                  public void report(long number, UplinkReport report) {
                    serial.execute(() -> mux.sendReport(number, report));
                  }
                },
                Exporter::open,
                host::report,
                world.clock(),
                System::nanoTime,
                world.threads()),
            SendingHandler.load(world.data()));
    keepers[0].start();
    return keepers[0];
  }

  private NodeSession session(
      ProxyConfig config,
      World world,
      ProxyHealth health,
      UplinkMux mux,
      SynchronizationContext serial,
      UplinkConnector uplink,
      List<DirectiveHandler> handlers)
      throws IOException {
    SessionObserver observer =
        new SessionObserver() {
          @Override
          public void online(Established established) {
            health.online(established);
          }

          @Override
          public void offline(String why) {
            health.offline(why);
          }

          @Override
          public void revocations(RevocationList list) {
            serial.execute(() -> endRevoked(mux, world.revocations()));
          }

          @Override
          public void renewed(IssuedIdentity identity) {
            log.info("certificate renewed, valid until {}", identity.expires());
            uplink.reconnect();
          }

          @Override
          public void failed(Throwable cause) {
            log.error("the session's journal can't be used, the proxy ends", cause);
            ended.countDown();
          }
        };
    return new NodeSession(
        new NodeSession.Parts(
            world.member(),
            config.servers(),
            Set.of(Role.MANAGER),
            world::facts,
            SessionJournal.open(world.data().resolve("journal")),
            world.revocations(),
            handlers,
            health,
            observer,
            world.channels(),
            world.clock(),
            System::nanoTime,
            world.random(),
            world.threads()));
  }

  private static void endRevoked(UplinkMux mux, RevocationRegistry revocations) {
    mux.endWhere(
        (uri, serial) ->
            NodeIdentity.parse(uri)
                .map(identity -> revocations.isRevoked(identity, serial))
                .orElse(true),
        "CERTIFICATE_REVOKED",
        "the certificate is revoked");
  }

  private void mirror(ProxyConfig config, World world) throws IOException {
    FleetMember member = world.member();
    SSLContext tls =
        FleetTls.httpClient(
            member::presented, member.verifier(), peer -> peer.role() == Role.MANAGER);
    var site = new ManagerSite(config.managerPublic(), tls);
    parts.push(site);
    var threads = Executors.newVirtualThreadPerTaskExecutor();
    parts.push(threads::shutdownNow);
    var cache =
        new PackageCache(
            world.data().resolve("mirror"),
            (long) config.mirrorMegabytes() << 20,
            site,
            threads,
            world.clock());
    var updates =
        new UpdateMirror(
            world.data().resolve("updates"),
            (long) config.updatesMegabytes() << 20,
            site,
            threads,
            world.clock(),
            System::nanoTime,
            TimeUnit.NANOSECONDS::sleep,
            world.random());
    var mirror =
        new MirrorServer(
            site,
            cache,
            updates,
            threads,
            addresses(config, config.httpPorts()),
            addresses(config, config.httpsPorts()),
            new HttpsConfigurator(tls) {
              @Override
              public void configure(HttpsParameters parameters) {
                SSLParameters wanted = tls.getDefaultSSLParameters();
                FleetTls.apply(config.tlsProfile(), wanted);
                parameters.setSSLParameters(wanted);
              }
            });
    parts.push(mirror);
    mirror.start();
  }

  private static List<InetSocketAddress> addresses(ProxyConfig config, List<Integer> ports) {
    return ports.stream().map(port -> new InetSocketAddress(config.listen(), port)).toList();
  }

  private static void status(
      StatusFile file,
      World world,
      ProxyHealth health,
      UplinkMux mux,
      SynchronizationContext serial,
      Keeper keeper,
      ScheduledExecutorService timer) {
    long pid = ProcessHandle.current().pid();
    Runnable write =
        () -> {
          serial.execute(() -> health.load(mux.stats()));
          health.kept(keeper.load().kept());
          try {
            file.write(
                health.status(
                    BuildInfo.version(), world.member().self(), pid, world.clock().millis()));
          } catch (IOException e) {
            log.warn("status can't be written: {}", e.toString());
          }
        };
    var _ =
        timer.scheduleWithFixedDelay(write, 0, STATUS_INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Tells the manager of refused callers, at most one in a while. */
  private static PeerInterceptor.DenialListener reporter(NodeSession session) {
    var turns = new Turns(1, DENIAL_REPORT, System::nanoTime);
    return (method, peer, reason) -> {
      if (turns.take()) {
        session.securityEvent(
            "rpc.denied",
            "%s by %s: %s".formatted(method, peer.map(NodeIdentity::uri).orElse("nobody"), reason));
      }
    };
  }

  /** Looks for what {@code towline-proxy stop} asks for. */
  private void watchStopRequests(
      StopRequest requests,
      Drainage drainage,
      ExecutorService orders,
      ScheduledExecutorService timer)
      throws IOException {
    requests.clear();
    Runnable look =
        () -> {
          try {
            requests
                .take()
                .ifPresent(wanted -> orders.execute(() -> stopHere(wanted, requests, drainage)));
          } catch (IOException e) {
            log.warn("a request to stop can't be read: {}", e.toString());
          }
        };
    var _ =
        timer.scheduleWithFixedDelay(
            look, STATUS_INTERVAL.toMillis(), STATUS_INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void stopHere(StopRequest.Wanted wanted, StopRequest requests, Drainage drainage) {
    try {
      int left = drainage.drain(wanted.force() ? DRAIN_TIME : STOP_DRAIN_TIME);
      if (left > 0 && !wanted.force()) {
        drainage.resume();
        requests.refuse(left + " agents found no other proxy and are still here");
      } else {
        stop();
      }
    } catch (IOException e) {
      log.warn("a request to stop can't be answered: {}", e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Ends the program until it is started on its host. */
  private void stop() {
    stopped = true;
    ended.countDown();
  }

  private static void drain(
      Drainage drainage, UplinkMux mux, SynchronizationContext serial, ClientServer clients) {
    clients.stopAccepting();
    try {
      var _ = drainage.drain(DRAIN_TIME);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    serial.execute(() -> mux.endAll("PROXY_STOPPING", "the proxy stops"));
    await(LAST_WORDS);
    clients.close();
  }

  private static void await(Duration time) {
    try {
      // Nobody counts it down: what was written needs a moment to leave.
      var _ = new CountDownLatch(1).await(time.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  /** Waits until the proxy can't go on, or was stopped; then gives whether it was stopped. */
  boolean awaitEnd() throws InterruptedException {
    ended.await();
    return stopped;
  }

  @Override
  public void close() {
    while (!parts.isEmpty()) {
      try {
        parts.pop().close();
      } catch (Exception e) {
        log.warn("a part did not close: {}", Optional.ofNullable(e.getMessage()).orElse("?"));
      }
    }
    ended.countDown();
  }
}
