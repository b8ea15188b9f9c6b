package dev.towline.manager.testing;

import dev.towline.manager.Manager;
import dev.towline.manager.ManagerConfig;
import dev.towline.manager.ManagerServices;
import dev.towline.manager.actions.NewAction;
import dev.towline.manager.enrollment.CreatedToken;
import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.enrollment.SourceNetworks;
import dev.towline.manager.events.EventRecord;
import dev.towline.manager.nodes.Presence;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.RunAction;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.enroll.EnrollmentSecret;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.Await;
import dev.towline.testing.FreePorts;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import tools.jackson.databind.node.JsonNodeFactory;

/** A whole manager on loopback with an embedded database, and hosts for it. */
public final class ManagerFixture implements AutoCloseable {
  public static final Duration BOUND = Duration.ofSeconds(60);

  private final Path directory;
  private final Clock clock;
  private final FleetChannels channels = new FleetChannels(Thread.ofPlatform().daemon().factory());
  private final AtomicInteger names = new AtomicInteger();
  private final List<AutoCloseable> peers = new ArrayList<>();
  private final ManagerConfig config;
  private Manager manager;

  public ManagerFixture(Path directory) {
    this(directory, Clock.systemUTC());
  }

  public ManagerFixture(Path directory, Clock clock) {
    this(directory, clock, TlsProfile.MODERN);
  }

  public ManagerFixture(Path directory, TlsProfile profile) {
    this(directory, Clock.systemUTC(), profile);
  }

  private ManagerFixture(Path directory, Clock clock, TlsProfile profile) {
    this.directory = directory;
    this.clock = clock;
    this.config =
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
            Duration.ofSeconds(60),
            Optional.empty(),
            profile);
    this.manager = Manager.start(config, clock, new SecureRandom());
  }

  public Manager manager() {
    return manager;
  }

  public ManagerServices services() {
    return manager.services();
  }

  public FleetChannels channels() {
    return channels;
  }

  public Clock clock() {
    return clock;
  }

  public ServerAddress address() {
    return new ServerAddress("127.0.0.1", manager.sessionPort());
  }

  public void restart() {
    manager.close();
    manager = Manager.start(config, clock, new SecureRandom());
  }

  public CreatedToken token(int maxUses) {
    return token(maxUses, Duration.ofHours(1));
  }

  public CreatedToken token(int maxUses, Duration lifetime) {
    return services()
        .tokens()
        .create(
            new NewToken(
                Role.AGENT,
                "linux",
                "",
                "",
                "web",
                "",
                "",
                List.of("blue"),
                "",
                "",
                false,
                lifetime,
                maxUses,
                "test",
                "",
                SourceNetworks.ANY));
  }

  public HostFacts facts(String name) {
    return HostFacts.newBuilder()
        .setHostName(name)
        .setOs("debian")
        .setMachineId("machine-of-" + name)
        .setBootId("boot-1")
        .setAssetKind("HOST")
        .build();
  }

  public EnrollmentFile file(CreatedToken token, byte[] secret) {
    return new EnrollmentFile(
        services().fleet().id(),
        token.token().role(),
        services().fleet().rootFingerprint(),
        token.token().id(),
        new EnrollmentSecret(secret),
        List.of(address()),
        JsonNodeFactory.instance.objectNode());
  }

  public EnrollmentOutcome enroll(CreatedToken token, HostFacts facts) {
    return enroll(file(token, token.secret()), facts);
  }

  public EnrollmentOutcome enroll(EnrollmentFile file, HostFacts facts) {
    Path home = directory.resolve("node-" + names.incrementAndGet());
    try {
      return new EnrollmentClient(channels, clock, new SecureRandom())
          .enroll(file, facts, new IdentityStore(home));
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  public IssuedIdentity enrolled(CreatedToken token, HostFacts facts) {
    return switch (enroll(token, facts)) {
      case EnrollmentOutcome.Issued issued -> issued.identity();
      case EnrollmentOutcome other -> throw new AssertionError("not enrolled: " + other);
    };
  }

  /** A host that is enrolled and can open sessions. */
  public FakeNode host(String name) {
    return node(enrolled(token(0), facts(name)), facts(name));
  }

  /** An enrolled host with a real session. */
  public LiveAgent agent(String name) {
    return agent(name, clock);
  }

  /**
   * @param own the host's clock
   */
  public LiveAgent agent(String name, InstantSource own) {
    LiveAgent agent =
        new LiveAgent(
            this,
            directory.resolve("agent-" + names.incrementAndGet()),
            enrolled(token(0), facts(name)),
            facts(name),
            own);
    peers.add(agent);
    return agent;
  }

  public FakeNode node(IssuedIdentity identity, HostFacts facts) {
    FakeNode node = new FakeNode(this, identity, facts);
    peers.add(node);
    return node;
  }

  /** An action that does nothing, on the hosts of a selector. */
  public Action noOp(String selector) {
    return services()
        .actions()
        .create(
            new NewAction(
                selector, true, RunAction.getDefaultInstance(), Duration.ZERO, "test", ""));
  }

  public Action awaitEnded(String action) {
    return Await.value(
        "the end of action " + action,
        BOUND,
        () -> Optional.of(services().actions().action(action)).filter(Action::getEnded));
  }

  public void awaitPresence(String host, Presence presence) {
    Await.until(
        host + " " + presence, BOUND, () -> services().hosts().host(host).presence() == presence);
  }

  public List<EventRecord> events(String code) {
    return services().events().list(code, "", 0, 100);
  }

  public EventRecord event(String code) {
    return Await.value("event " + code, BOUND, () -> events(code).stream().findFirst());
  }

  @Override
  public void close() throws Exception {
    for (AutoCloseable peer : peers) {
      peer.close();
    }
    manager.close();
    channels.close();
  }
}
