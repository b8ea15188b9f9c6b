package dev.towline.relay;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.ConfigureRelay;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.proto.v1.RelayReport;
import dev.towline.proto.v1.RelaySetting;
import dev.towline.relay.child.ChildAuthority;
import dev.towline.relay.child.ChildSettings;
import dev.towline.relay.child.RelayChild;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.parent.ChildListStore;
import dev.towline.relay.parent.OpenTunnels;
import dev.towline.relay.parent.RelayParent;
import dev.towline.relay.parent.TargetConnector;
import dev.towline.relay.status.LinkView;
import dev.towline.relay.tunnel.CreditBudget;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.relay.RelayTuning;
import dev.towline.runtime.session.HeartbeatSource;
import dev.towline.runtime.session.NodeSession;
import dev.towline.runtime.session.SessionObserver;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The relay once it is registered: a child, a parent, or both, as its manager last said. Becomes
 * what it shall be while it runs (R5), and takes settings the same way (R7).
 *
 * <p>A relay that becomes a child keeps its session where it is until a parent has dialled in; then
 * the session moves to the loopback port, and only when it stands there the old way is forgotten.
 *
 * <p>Lifecycle: {@link #start} to {@link #close}. Threading: changes run on the timer, one at a
 * time; the rest may be asked from any thread but the loop. Failure: a configuration that can't be
 * put in force is taken back.
 */
final class LiveRelay implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LiveRelay.class);
  private static final Duration TARGET_TIMEOUT = Duration.ofSeconds(5);

  /** How long a clean stop waits; the service manager has to wait longer. */
  private static final Duration STOP_WAIT = Duration.ofSeconds(5);

  private static final int STOP_LOOK_MILLIS = 50;
  private static final int LOOK_SECONDS = 5;
  private static final int REPORT_DELAY_MILLIS = 200;

  private final Parts parts;
  private final RelaySettings local;
  private final RelayConfigStore store;
  private final ChildListStore childList;
  private final TargetConnector connector;
  private final RelayParent parent;
  private final AtomicBoolean reportDue = new AtomicBoolean();

  private volatile ConfigureRelay configuration;
  private volatile RelaySettings settings;
  private volatile RelayPlan plan;
  private volatile @Nullable RelayChild child;
  private volatile @Nullable NodeSession session;
  private volatile List<ServerAddress> servers;
  private volatile boolean throughItself;

  /**
   * @param newChild makes a child of its settings that is not started
   * @param ended hears of what ends the relay
   */
  record Parts(
      RelayIo io,
      CreditBudget budget,
      Path data,
      FleetMember member,
      NodeConfig config,
      OpenTunnels tunnels,
      Function<ChildSettings, RelayChild> newChild,
      Clock clock,
      SecureRandom random,
      Executor blocking,
      ScheduledExecutorService timer,
      Runnable changed) {}

  /**
   * @param local the settings without what pairing and manager say
   * @param child the one that stood before the registration; null when there was none
   */
  LiveRelay(Parts parts, RelaySettings local, @Nullable RelayChild child) throws IOException {
    this.parts = parts;
    this.local = local;
    this.child = child;
    this.servers = parts.config().servers();
    this.store = new RelayConfigStore(parts.data());
    this.childList = new ChildListStore(parts.data().resolve("children"));
    this.configuration = store.load();
    this.settings = effective(local, parts.config(), configuration);
    this.plan = RelayPlan.of(settings);
    this.connector =
        new TargetConnector(
            parts.io(), parts.blocking(), TARGET_TIMEOUT, parts.tunnels(), plan.targets(servers));
    this.parent =
        new RelayParent(
            parts.io(),
            plan.parent(),
            parts.member().self().id(),
            parts.member().profile(),
            parts.member()::presented,
            () -> parts.member().anchors().roots(),
            parts.member().verifier(),
            connector,
            parts.budget(),
            parts.clock(),
            parts.random(),
            parts.blocking(),
            this::changed);
  }

  /** What holds when the manager said this on top of everything else. */
  static RelaySettings effective(
      RelaySettings local, NodeConfig config, ConfigureRelay configuration) {
    RelaySettings paired =
        configuration.hasChild()
            ? local.paired(RelayConfigStore.asPairing(configuration.getChild()))
            : local;
    return paired.paired(config.settings()).managed(configuration.getSettingsMap());
  }

  /** Listens and dials; the session comes with {@link #session}. */
  void start() throws IOException {
    enforce();
    var children = childList.load();
    if (!children.isEmpty()) {
      parent.children(children);
    }
    var _ =
        parts
            .timer()
            .scheduleWithFixedDelay(this::look, LOOK_SECONDS, LOOK_SECONDS, TimeUnit.SECONDS);
  }

  void session(NodeSession started) {
    session = started;
  }

  RelayParent parent() {
    return parent;
  }

  ChildListStore childList() {
    return childList;
  }

  // What the manager says. On the timer.

  /**
   * Becomes what the manager says; when that fails, nothing has changed.
   *
   * @return what to tell the manager beside "done"
   */
  String apply(ConfigureRelay wanted) throws IOException {
    List<String> ignored = new ArrayList<>();
    for (Map.Entry<String, String> setting : wanted.getSettingsMap().entrySet()) {
      boolean known =
          RelayTuning.of(setting.getKey())
              .filter(tuning -> tuning.accepts(setting.getValue()))
              .isPresent();
      if (!known) {
        ignored.add(setting.getKey() + "=" + setting.getValue());
      }
    }
    ConfigureRelay before = configuration;
    if (!wanted.equals(before)) {
      become(wanted);
      try {
        store.save(wanted);
        enforce();
      } catch (IOException | RuntimeException e) {
        LOG.warn("the manager's configuration can't be put in force: {}", e.getMessage());
        become(before);
        store.save(before);
        enforce();
        throw e;
      }
    }
    return ignored.isEmpty() ? "" : "unknown to this version and ignored: " + ignored;
  }

  private void become(ConfigureRelay wanted) {
    RelaySettings next = effective(local, parts.config(), wanted);
    plan = RelayPlan.of(next);
    settings = next;
    configuration = wanted;
  }

  private void enforce() throws IOException {
    RelayPlan now = plan;
    var targets = now.targets(servers);
    parts
        .io()
        .loop()
        .execute(() -> {
          parts.budget().limit(now.tunnelMemory());
          connector.targets(targets);
        });
    parent.settings(now.parent());
    RelayChild present = child;
    if (now.child().isEmpty()) {
      if (present != null) {
        present.close();
        child = null;
      }
    } else if (present == null) {
      RelayChild started = parts.newChild().apply(now.child().get());
      started.parents(parents());
      started.startRegistered(authority(), parts.member().self().id());
      child = started;
      LOG.info("a child relay from now on, dialled on port {}", started.port());
    } else {
      present.settings(now.child().get());
      present.parents(parents());
      if (!present.isRegistered()) {
        present.startRegistered(authority(), parts.member().self().id());
      }
    }
    changed();
  }

  private Set<String> parents() {
    return Set.copyOf(configuration.getChild().getParentsList());
  }

  private ChildAuthority.Registered authority() throws IOException {
    FleetMember member = parts.member();
    member.listens();
    return new ChildAuthority.Registered(
        member.profile(), member::presented, member::presentedRsa, member.verifier());
  }

  // The session.

  /** What this host is called; empty for its own name. */
  String name() {
    return parts.config().name();
  }

  /** Where the session goes. */
  List<ServerAddress> servers() {
    return servers;
  }

  /** On the session's thread. */
  void online(SessionObserver.Established established) {
    boolean itself = established.server().equals(plan.loopback());
    throughItself = itself;
    parts.io().loop().execute(parts.tunnels()::reportAll);
    changed();
    if (itself && child != null && !servers.equals(List.of(plan.loopback()))) {
      parts.timer().execute(this::stayThroughItself);
    }
  }

  /** A child reaches nothing but through its own loopback port (R1). */
  private void stayThroughItself() {
    NodeSession present = session;
    List<ServerAddress> itself = List.of(plan.loopback());
    try {
      new NodeConfig(parts.config().name(), itself, parts.config().settings())
          .save(parts.data().resolve("config.json"));
    } catch (IOException e) {
      LOG.warn("the new way can't be noted: {}", e.getMessage());
      return;
    }
    servers = itself;
    if (present != null) {
      present.moveTo(itself);
    }
    LOG.info("the session goes through this relay's own parent from now on");
  }

  private void look() {
    try {
      recheck();
      RelayChild present = child;
      NodeSession running = session;
      if (present != null
          && running != null
          && !throughItself
          && !servers.equals(List.of(plan.loopback()))
          && !present.links().isEmpty()) {
        List<ServerAddress> wanted = new ArrayList<>(List.of(plan.loopback()));
        servers.stream().filter(server -> !wanted.contains(server)).forEach(wanted::add);
        running.moveTo(wanted);
      }
      report();
    } catch (RuntimeException e) {
      LOG.warn("regular look failed", e);
    }
  }

  /** To be called when something was revoked. */
  void recheck() {
    RelayChild present = child;
    if (present != null) {
      present.recheck();
    }
    parent.recheck();
  }

  // What it shows.

  private void changed() {
    parts.changed().run();
    if (reportDue.compareAndSet(false, true)) {
      try {
        var _ = parts.timer().schedule(this::look, REPORT_DELAY_MILLIS, TimeUnit.MILLISECONDS);
      } catch (RejectedExecutionException e) {
        // The relay stops.
      }
    }
  }

  private void report() {
    reportDue.set(false);
    NodeSession present = session;
    if (present == null) {
      return;
    }
    RelayReport.Builder report =
        RelayReport.newBuilder()
            .setChild(child != null)
            .setParent(parent.hasChildren())
            .addAllListening(listening())
            .setTimeMs(parts.clock().millis());
    for (LinkView link : links()) {
      report.addLinks(link.toProto());
    }
    settings
        .all()
        .forEach((key, origin) ->
            report.addSettings(
                RelaySetting.newBuilder()
                    .setKey(key)
                    .setValue(origin.value())
                    .setOrigin(origin.kind())));
    var _ = present.send(AgentFrame.newBuilder().setRelay(report).build());
  }

  RelaySettings settings() {
    return settings;
  }

  boolean isChild() {
    return child != null;
  }

  List<String> listening() {
    RelayChild present = child;
    return present == null ? List.of() : listening(present);
  }

  static List<String> listening(RelayChild child) {
    List<String> all = new ArrayList<>();
    all.add("parents on port " + child.port());
    for (InetSocketAddress address : child.listening()) {
      all.add(address.getAddress().getHostAddress() + ":" + address.getPort());
    }
    return all;
  }

  List<LinkView> links() {
    List<LinkView> all = new ArrayList<>(parent.links());
    RelayChild present = child;
    if (present != null) {
      all.addAll(present.links());
    }
    return all;
  }

  /** How often connections were refused, by reason: as a child and as a parent. */
  Map<String, Long> refusals() {
    Map<String, Long> all =
        new TreeMap<>(parts.io().loop().submit(connector::refusals).syncUninterruptibly().getNow());
    RelayChild present = child;
    if (present != null) {
      all.putAll(present.refusals());
    }
    return all;
  }

  HeartbeatSource.Content heartbeat() {
    List<LinkView> links = links();
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

  /**
   * For a clean stop: no peer places anything new here, and what is open may end by itself, for a
   * bounded time. The relay's own session is left out; it ends after this.
   */
  void drain() throws InterruptedException {
    parent.drain();
    RelayChild present = child;
    if (present != null) {
      present.drain("this relay stops");
    }
    CompletableFuture<Boolean> quiet = new CompletableFuture<>();
    var look =
        parts
            .timer()
            .scheduleWithFixedDelay(
                () -> {
                  if (open() == 0) {
                    quiet.complete(true);
                  }
                },
                0,
                STOP_LOOK_MILLIS,
                TimeUnit.MILLISECONDS);
    try {
      quiet.get(STOP_WAIT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      LOG.info("stops with {} connections still open", open());
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    } finally {
      look.cancel(false);
    }
  }

  /** Connections of others that go through this relay. */
  private long open() {
    long all = links().stream().mapToLong(link -> link.totals().open()).sum();
    return Math.max(0, all - (throughItself ? 1 : 0));
  }

  @Override
  public void close() {
    parent.close();
    RelayChild present = child;
    if (present != null) {
      present.close();
    }
  }
}
