package dev.towline.manager.testing;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveHandler;
import dev.towline.runtime.session.HeartbeatSource;
import dev.towline.runtime.session.NodeSession;
import dev.towline.runtime.session.RevocationRegistry;
import dev.towline.runtime.session.SessionJournal;
import dev.towline.runtime.session.SessionObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

/** A host whose session is the real one, with its state in a directory; it runs no program. */
public final class LiveAgent implements AutoCloseable {
  private final ManagerFixture fixture;
  private final Path directory;
  private final HostFacts facts;
  private final InstantSource clock;
  private final IdentityStore store;
  private final List<String> states = new CopyOnWriteArrayList<>();
  private final List<AcceptedDirective> accepted = new CopyOnWriteArrayList<>();
  private FleetMember member;
  private NodeSession session;

  LiveAgent(
      ManagerFixture fixture,
      Path directory,
      IssuedIdentity identity,
      HostFacts facts,
      InstantSource clock) {
    this.fixture = fixture;
    this.directory = directory;
    this.facts = facts;
    this.clock = clock;
    this.store = new IdentityStore(directory.resolve("identity"));
    save(identity);
    start();
  }

  private void save(IssuedIdentity identity) {
    try {
      store.save(identity, fixture.services().fleet().roots());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Starts with what is on its disk, after {@link #stop}. */
  public void start() {
    try {
      var revocations = RevocationRegistry.open(directory.resolve("revocations"));
      member =
          new FleetMember(store, store.load().orElseThrow(), store.roots(), revocations, clock);
      session =
          new NodeSession(
              new NodeSession.Parts(
                  member,
                  List.of(fixture.address()),
                  Set.of(Role.MANAGER),
                  () -> facts,
                  SessionJournal.open(directory.resolve("journal")),
                  revocations,
                  List.of(new Collector()),
                  () -> new HeartbeatSource.Content(List.of(), ByteString.EMPTY, Map.of()),
                  new Watcher(),
                  fixture.channels(),
                  clock,
                  System::nanoTime,
                  new SecureRandom(),
                  Thread.ofPlatform().daemon().factory()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    session.start();
  }

  public void stop() {
    session.close();
  }

  public String id() {
    return member.self().id();
  }

  public FleetMember member() {
    return member;
  }

  /** Hexadecimal fingerprints of the roots that it trusts, those on its disk too. */
  public List<String> trusts() {
    try {
      List<X509Certificate> stored = store.roots();
      if (!stored.equals(member.anchors().roots())) {
        return List.of();
      }
      return stored.stream().map(Fingerprints::of).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public String issuer() {
    return Fingerprints.of(member.identity().chain().get(1));
  }

  /** What became of its session, in order: online, offline. */
  public List<String> states() {
    return states;
  }

  public List<AcceptedDirective> accepted() {
    return accepted;
  }

  @Override
  public void close() {
    session.close();
  }

  private final class Collector implements DirectiveHandler {
    @Override
    public boolean handles(DirectiveKind kind) {
      return kind == DirectiveKind.DIRECTIVE_KIND_RUN_ACTION;
    }

    @Override
    public void accepted(AcceptedDirective directive, Progress progress) {
      accepted.add(directive);
    }
  }

  private final class Watcher implements SessionObserver {
    @Override
    public void online(Established established) {
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
  }
}
