package dev.towline.runtime.session;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.FakeManager;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A node of a fleet, its directory, and the managers it may find there; what its session tells is
 * kept. Closes all that it opened, the newest first.
 */
final class TestNode implements AutoCloseable {
  final TestFleet fleet = new TestFleet(Clock.systemUTC());
  final List<String> states = new CopyOnWriteArrayList<>();
  final List<Duration> waits = new CopyOnWriteArrayList<>();
  final List<Thread> threads = new CopyOnWriteArrayList<>();
  volatile Map<ServerAddress, String> unresolved = Map.of();

  /** What follows may be changed before a session is made. */
  IssuedIdentity identity = fleet.issue(Role.AGENT, "a1");

  /** The host's own clock. */
  Clock machine = Clock.systemUTC();

  List<DirectiveHandler> handlers = List.of();
  HeartbeatSource heartbeats = () -> HeartbeatSource.Content.NOTHING;
  private final Path directory;
  private final FleetChannels channels;
  private final List<AutoCloseable> opened = new ArrayList<>();

  TestNode(Path directory, FleetChannels channels) {
    this.directory = directory;
    this.channels = channels;
  }

  /** A manager that is dialled without anybody between. */
  FakeManager direct() throws IOException {
    return opened(FakeManager.direct(fleet));
  }

  FakeManager behindProxy() throws IOException {
    return opened(FakeManager.behindProxy(fleet));
  }

  /** At this address of a domain name that several share. */
  FakeManager behindProxy(InetAddress address, int port) throws IOException {
    return opened(FakeManager.behindProxy(fleet, address, port));
  }

  /** Closes what a test opened itself too. */
  void closes(AutoCloseable another) {
    opened.add(another);
  }

  private FakeManager opened(FakeManager manager) {
    opened.add(manager);
    return manager;
  }

  /** Not started yet. */
  NodeSession session(ServerAddress... servers) throws IOException {
    return session(parts(List.of(servers), journal(directory)));
  }

  NodeSession session(NodeSession.Parts parts) {
    var session = new NodeSession(parts);
    opened.add(session);
    return session;
  }

  NodeSession start(ServerAddress... servers) throws IOException {
    return start(parts(List.of(servers), journal(directory)));
  }

  NodeSession start(NodeSession.Parts parts) {
    NodeSession session = session(parts);
    session.start();
    return session;
  }

  static SessionJournal journal(Path directory) throws IOException {
    return SessionJournal.open(directory.resolve("session.journal"));
  }

  IdentityStore store() {
    return new IdentityStore(directory.resolve("identity"));
  }

  NodeSession.Parts parts(List<ServerAddress> servers, SessionJournal journal) throws IOException {
    RevocationRegistry revocations = RevocationRegistry.open(directory.resolve("revocations"));
    return new NodeSession.Parts(
        new FleetMember(store(), identity, fleet.roots(), revocations, machine),
        servers,
        Set.of(Role.MANAGER, Role.PROXY),
        HostFacts::getDefaultInstance,
        journal,
        revocations,
        handlers,
        heartbeats,
        new Told(),
        channels,
        machine,
        System::nanoTime,
        new SecureRandom(),
        this::thread);
  }

  private Thread thread(Runnable work) {
    Thread thread = Thread.ofPlatform().daemon().unstarted(work);
    threads.add(thread);
    return thread;
  }

  @Override
  public void close() throws Exception {
    for (AutoCloseable each : opened.reversed()) {
      each.close();
    }
    channels.close();
  }

  private final class Told implements SessionObserver {
    @Override
    public void online(Established session) {
      states.add("online");
    }

    @Override
    public void offline(String why) {
      states.add("offline");
    }

    @Override
    public void failed(Throwable cause) {
      states.add("failed " + cause);
    }

    @Override
    public void waiting(Duration untilNext) {
      waits.add(untilNext);
    }

    @Override
    public void unresolved(Map<ServerAddress, String> names) {
      unresolved = names;
    }
  }
}
