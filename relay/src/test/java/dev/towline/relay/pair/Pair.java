package dev.towline.relay.pair;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.RelayTarget;
import dev.towline.proto.v1.TunnelReport;
import dev.towline.relay.child.ChildAuthority;
import dev.towline.relay.child.ChildSettings;
import dev.towline.relay.child.Origin;
import dev.towline.relay.child.RelayChild;
import dev.towline.relay.link.Addresses;
import dev.towline.relay.link.LinkPace;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.parent.OpenTunnels;
import dev.towline.relay.parent.ParentSettings;
import dev.towline.relay.parent.RelayParent;
import dev.towline.relay.parent.TargetConnector;
import dev.towline.relay.status.LinkView;
import dev.towline.relay.tunnel.CreditBudget;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.FreePorts;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/** A parent and a child on loopback sockets, each with an event loop of its own. */
final class Pair implements AutoCloseable {
  static final ParentSettings SETTINGS =
      new ParentSettings(
          2,
          1024,
          LinkPace.of(Duration.ofSeconds(5)),
          Duration.ofMillis(20),
          Duration.ofMillis(200),
          Duration.ofSeconds(5),
          false);

  /** Hosts wait for as long as the slowest machine takes to connect a parent. */
  static final ChildSettings.Tuning TUNING = patience(Await.LIMIT);

  /** Longer than any test: it is the relays' pings that notice silence. */
  private static final Duration KEEP_ALIVE = Duration.ofMinutes(10);

  /** Of a parent in the same process as its own child; nothing goes through it here. */
  final CreditBudget childBudget = new CreditBudget(1L << 30);

  private RelayIo childIo;

  private final OpenTunnels passing = new OpenTunnels("none", _ -> {});

  final TestFleet fleet;
  final List<TunnelReport> reports = new CopyOnWriteArrayList<>();
  private final List<AutoCloseable> open = new ArrayList<>();

  final RelayChild child;
  final IssuedIdentity childIdentity;
  final IssuedIdentity parentIdentity;
  final int childPort;
  final RelayParent parent;

  Pair(String session, String publicHttp) {
    this(new TestFleet("test-fleet"), session, publicHttp);
  }

  Pair(TestFleet fleet, String session, String publicHttp) {
    this.fleet = fleet;
    this.childIdentity = fleet.issue(Role.RELAY, "child-1");
    this.parentIdentity = fleet.issue(Role.RELAY, "parent-1");
    this.childPort = FreePorts.next();
    this.child = newChild(childPort);
    startRegistered(child);
    this.parent = newParent(parentIdentity, fleet, session, publicHttp);
  }

  /** Dials and waits until both sides have their connections and reserves. */
  Pair connected() {
    parent.children(List.of(listed("child-1", childPort, new byte[0])));
    awaitUp();
    return this;
  }

  void awaitUp() {
    Await.until(
        "both connections up with their reserves",
        () -> up(parent.links()) == SETTINGS.connections() && held(SETTINGS.connections()));
  }

  /** Until the child has so many connections, each with streams for those who come. */
  void awaitHeld(int connections) {
    Await.until("connections with their reserves: " + connections, () -> held(connections));
  }

  private boolean held(int connections) {
    List<LinkView> links = child.links();
    return links.size() == connections && links.stream().allMatch(link -> link.reserve() > 0);
  }

  static long up(List<LinkView> links) {
    return links.stream().filter(link -> link.state() == LinkView.State.UP).count();
  }

  static dev.towline.proto.v1.RelayChild listed(String id, int port, byte[] pairingKey) {
    return dev.towline.proto.v1.RelayChild.newBuilder()
        .setRelayId(id)
        .setName(id)
        .setDialAddress("127.0.0.1:" + port)
        .setPairingKey(ByteString.copyFrom(pairingKey))
        .build();
  }

  private static ChildSettings.Tuning patience(Duration patience) {
    return new ChildSettings.Tuning(
        16, patience, 1000, 1000, 1000, LinkPace.USUAL_ANSWER, LinkPace.USUAL_MISSES);
  }

  /** From now on a host that finds no stream is soon reset. */
  static void givesUpSoon(RelayChild child, int port) throws IOException {
    child.settings(childSettings(port, patience(Duration.ofMillis(300))));
  }

  RelayChild newChild(int port) {
    RelayIo io = new RelayIo("child");
    childIo = io;
    RelayChild made =
        new RelayChild(
            io,
            childSettings(port, TUNING),
            childBudget,
            TestFleet.CLOCK,
            TestFleet.RANDOM,
            source ->
                passing
                    .from(source)
                    .map(report -> new Origin(report.getSourceAddress(), report.getHopsList())),
            Thread::startVirtualThread,
            () -> {});
    open.add(() -> {
      made.close();
      io.close();
    });
    return made;
  }

  static ChildSettings childSettings(int port, ChildSettings.Tuning tuning) {
    InetAddress loopback = InetAddress.getLoopbackAddress();
    return new ChildSettings(
        new InetSocketAddress(loopback, port),
        0,
        List.of(
            new ChildSettings.Downstream(
                RelayTarget.RELAY_TARGET_SESSION, new InetSocketAddress(loopback, 0)),
            new ChildSettings.Downstream(
                RelayTarget.RELAY_TARGET_PUBLIC_HTTP, new InetSocketAddress(loopback, 0))),
        KEEP_ALIVE,
        tuning);
  }

  /** What the child's tunnels hold beyond their first credit. */
  long childMemory() {
    try {
      return childIo.loop().submit(childBudget::used).get();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  void startRegistered(RelayChild started) {
    try {
      started.startRegistered(
          new ChildAuthority.Registered(() -> Optional.of(childIdentity), fleet.verifier()),
          "child-1");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  RelayParent newParent(
      IssuedIdentity identity, TestFleet trusts, String session, String publicHttp) {
    RelayIo io = new RelayIo("parent");
    String id = identity.identity().id();
    RelayParent made =
        new RelayParent(
            io,
            SETTINGS,
            id,
            TlsProfile.MODERN,
            () -> Optional.of(identity),
            () -> List.of(trusts.root()),
            trusts.verifier(),
            new TargetConnector(
                io,
                Runnable::run,
                Duration.ofSeconds(2),
                new OpenTunnels(id, reports::add),
                Map.of(
                    RelayTarget.RELAY_TARGET_SESSION, List.of(Addresses.parse(session, 1)),
                    RelayTarget.RELAY_TARGET_PUBLIC_HTTP, List.of(Addresses.parse(publicHttp, 1)))),
            new CreditBudget(1L << 30),
            TestFleet.CLOCK,
            TestFleet.RANDOM,
            Runnable::run,
            () -> {});
    open.add(() -> {
      made.close();
      io.close();
    });
    return made;
  }

  InetSocketAddress loopbackPort() {
    return child.listening().get(0);
  }

  InetSocketAddress sessionPort() {
    return child.listening().get(1);
  }

  InetSocketAddress publicPort() {
    return child.listening().get(2);
  }

  /** A connection of a host below the child. */
  static Socket connect(InetSocketAddress address) {
    try {
      Socket socket = new Socket(address.getAddress(), address.getPort());
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(Math.toIntExact(Await.LIMIT.toMillis()));
      return socket;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    for (AutoCloseable each : open.reversed()) {
      try {
        each.close();
      } catch (Exception e) {
        throw new AssertionError("closing", e);
      }
    }
  }
}
