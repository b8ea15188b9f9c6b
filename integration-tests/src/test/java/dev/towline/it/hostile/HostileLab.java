package dev.towline.it.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.cli.login.AdminClient;
import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.Event;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListEventsRequest;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.RunActionRequest;
import dev.towline.proto.v1.TargetState;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.TrustAnchors;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/**
 * A manager as a process, a hostile proxy with a certificate that the manager issued, and agents as
 * processes behind it. One for all test classes.
 *
 * <p>Threading: one owner.
 */
final class HostileLab implements AutoCloseable {
  static final Duration BOUND = Duration.ofSeconds(120);
  static final String CLUSTER = "cluster-1";

  private final ProcessFleet fleet;
  private final LoopbackAddresses addresses;
  private final Path directory;
  private final AdminClient admin;
  private final IssuedIdentity stolen;
  private final PeerVerifier verifier;
  private final HostileProxy proxy;
  private final String proxyEnrollment;
  private final AtomicInteger lines = new AtomicInteger();

  HostileLab() throws Exception {
    this.directory = Files.createTempDirectory("towline-hostile-");
    this.addresses = LoopbackAddresses.free(new Random());
    this.fleet =
        new ProcessFleet(
            Path.of(System.getProperty("towline.repository", "..")),
            directory,
            addresses,
            List.of("--heartbeat-interval", "5s"));
    try {
      fleet.startManager();
      this.admin = fleet.admin();
      fleet.towline(
          "proxies", "create-cluster", CLUSTER, "--address", addresses.host(2), "--port", "443");
      this.proxyEnrollment = enrollment(CLUSTER);
      IdentityStore store = new IdentityStore(directory.resolve("stolen-proxy"));
      this.stolen = enrollProxy(store);
      TrustAnchors anchors = new TrustAnchors(stolen.identity().fleet(), store.roots());
      this.verifier = new PeerVerifier(() -> anchors, Revocations.NONE, Clock.systemUTC());
      this.proxy =
          new HostileProxy(
              stolen,
              verifier,
              new InetSocketAddress(addresses.host(2), 443),
              new ServerAddress(fleet.managerHost(), 7443));
    } catch (Exception | AssertionError e) {
      fleet.close();
      throw e;
    }
  }

  private IssuedIdentity enrollProxy(IdentityStore store) throws InterruptedException {
    Path file = directory.resolve("stolen-proxy.json");
    fleet.towline("proxies", "command", CLUSTER, "--enrollment-file", file.toString());
    try (FleetChannels channels = new FleetChannels(Thread.ofPlatform().daemon().factory())) {
      EnrollmentOutcome outcome =
          new EnrollmentClient(channels, Clock.systemUTC(), new SecureRandom())
              .enroll(
                  EnrollmentFile.read(file),
                  HostFacts.newBuilder().setHostName("stolen-proxy").setOs("linux").build(),
                  store);
      if (outcome instanceof EnrollmentOutcome.Issued issued) {
        return issued.identity();
      }
      throw new AssertionError("the proxy was not enrolled: " + outcome);
    }
  }

  ProcessFleet fleet() {
    return fleet;
  }

  LoopbackAddresses addresses() {
    return addresses;
  }

  Path directory() {
    return directory;
  }

  HostileProxy proxy() {
    return proxy;
  }

  /** What the proxy's thief holds. */
  IssuedIdentity stolen() {
    return stolen;
  }

  PeerVerifier verifier() {
    return verifier;
  }

  AdminClient admin() {
    return admin;
  }

  /** Starts an agent behind the hostile proxy and waits until it is in session. */
  Victim victim(String name) {
    return online(startAgent(name), name);
  }

  /** Starts an agent behind the hostile proxy; all of them use one install command. */
  Program startAgent(String name) {
    return startAgent(name, proxyEnrollment);
  }

  /**
   * Starts an agent.
   *
   * @param enrollment what is in its enrollment file
   */
  Program startAgent(String name, String enrollment) {
    try {
      return fleet.startAgent(
          name, Files.writeString(directory.resolve(name + "-enrollment.json"), enrollment));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The enrollment file of a new install command; empty cluster: directly to the manager. */
  String enrollment(String cluster) {
    return admin
        .installCommands()
        .createInstallCommand(
            CreateInstallCommandRequest.newBuilder()
                .setOs("linux")
                .setGroup("hostile")
                .setExpiresInMs(Duration.ofHours(1).toMillis())
                .setProxyCluster(cluster)
                .build())
        .getEnrollmentFile();
  }

  /** Waits for a started agent's session. */
  Victim online(Program program, String name) {
    program.awaitLine("towline-agent online", BOUND);
    Host host = awaitState(name, HostState.HOST_STATE_ONLINE);
    return new Victim(
        program,
        name,
        NodeIdentity.parse(host.getIdentity()).orElseThrow(),
        directory.resolve("data").resolve(name),
        directory.resolve(name + ".lines"));
  }

  Optional<Host> host(String name) {
    return fleet.hosts().stream().filter(host -> host.getName().equals(name)).findFirst();
  }

  Host awaitState(String name, HostState state) {
    return Await.value(
        name + " to be " + state, BOUND, () -> host(name).filter(host -> host.getState() == state));
  }

  /** Waits until the agent is in session and the proxy carries it. */
  void awaitCarried(Victim victim) {
    awaitState(victim.name(), HostState.HOST_STATE_ONLINE);
    Await.until(
        victim.name() + " to be carried by the proxy",
        BOUND,
        () -> proxy.run(() -> proxy.link(victim.identity())).isPresent());
  }

  /** A text that no action has appended yet. */
  String newLine() {
    return "line-" + lines.incrementAndGet();
  }

  /** Orders the agent to append a line to its file; gives the action's id. */
  String append(Victim victim, String line) {
    return append(victim, line, Duration.ofMinutes(5));
  }

  String append(Victim victim, String line, Duration expires) {
    return run(
        victim,
        expires,
        "sh",
        "-c",
        "echo " + line + " >> '" + victim.file().toAbsolutePath() + "'; echo done");
  }

  String run(Victim victim, Duration expires, String... command) {
    return admin
        .actions()
        .runAction(
            RunActionRequest.newBuilder()
                .setSelector(victim.name())
                .setExpiresInMs(expires.toMillis())
                .setRun(
                    RunAction.newBuilder()
                        .addAllCommand(Arrays.asList(command))
                        .setTimeLimitMs(20_000))
                .build())
        .getId();
  }

  ActionTarget target(String action) {
    Action found =
        admin.actions().getAction(GetActionRequest.newBuilder().setAction(action).build());
    return found.getTargets(0);
  }

  ActionTarget awaitTarget(String action, TargetState... states) {
    Set<TargetState> wanted = Set.of(states);
    return Await.value(
        "action " + action + " to be " + wanted,
        BOUND,
        () -> Optional.of(target(action)).filter(found -> wanted.contains(found.getState())));
  }

  /** Id of the newest event. */
  long lastEvent() {
    return admin
        .events()
        .listEvents(ListEventsRequest.newBuilder().setPageSize(1).build())
        .getEventsList()
        .stream()
        .mapToLong(Event::getId)
        .max()
        .orElse(0);
  }

  /** Newer events, but those that record what the operator, that is the test, did. */
  List<Event> eventsAfter(long id) {
    return admin
        .events()
        .listEvents(ListEventsRequest.newBuilder().setPageSize(200).build())
        .getEventsList()
        .stream()
        .filter(event -> event.getId() > id && !event.getCode().startsWith("audit."))
        .toList();
  }

  /** Waits for an event about this subject. */
  Event awaitEvent(long after, String code, String subject) {
    return awaitEvent(after, code, subject, "");
  }

  /**
   * The same.
   *
   * @param reporter who noticed; empty for anybody
   */
  Event awaitEvent(long after, String code, String subject, String reporter) {
    return Await.value(
        "event " + code + " about " + subject + " by " + reporter,
        BOUND,
        () ->
            eventsAfter(after).stream()
                .filter(e ->
                    e.getCode().equals(code)
                        && e.getSubject().contains(subject)
                        && (reporter.isEmpty() || e.getReporter().equals(reporter)))
                .findFirst());
  }

  /** All events since then are of this code, and there is one. */
  void assertOnlyEvent(long after, String code) {
    List<Event> events = eventsAfter(after);
    assertThat(new TreeSet<>(events.stream().map(Event::getCode).collect(Collectors.toSet())))
        .as(events.toString())
        .containsExactly(code);
  }

  @Override
  public void close() throws IOException {
    proxy.close();
    fleet.close();
    ProcessFleet.deleteTree(directory);
  }
}
