package dev.towline.relay.child;

import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.link.PairingKey;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.status.LinkView;
import dev.towline.relay.tunnel.CreditBudget;
import dev.towline.runtime.identity.Keys;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The child of a pair: where its parents dial in, its loopback port, and its listeners for hosts
 * below (R1, R3, R8). It never dials.
 *
 * <p>Lifecycle: {@link #startUnregistered} or {@link #startRegistered}; after registration {@link
 * #startRegistered} replaces the listener for parents without a restart of the process. Threading:
 * start and stop by one thread that may block, the rest on the loop.
 */
public final class RelayChild implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RelayChild.class);

  private static final int BIND_ATTEMPTS = 40;
  private static final int BIND_PAUSE_MILLIS = 50;

  private final RelayIo io;
  private volatile ChildSettings settings;
  private final InstantSource clock;
  private final SecureRandom random;
  private final CreditBudget budget;
  private final ParentLinks links;
  private final ListenerGate.Parts gates;
  private final KnownParents parents;

  private @Nullable ChildServer server;
  private @Nullable Registration registered;
  private final List<TunnelListener> listeners = new ArrayList<>();

  private record Registration(ChildAuthority.Registered authority, String ownId) {}

  /**
   * @param tunnelled tells of a connection from this process itself where it really comes from
   * @param blocking for what reads the kernel's tables
   */
  public RelayChild(
      RelayIo io,
      ChildSettings settings,
      CreditBudget budget,
      InstantSource clock,
      SecureRandom random,
      Function<InetSocketAddress, Optional<Origin>> tunnelled,
      Executor blocking,
      Runnable changed) {
    this.io = io;
    this.settings = settings;
    this.budget = budget;
    this.clock = clock;
    this.random = random;
    this.parents = new KnownParents(clock);
    this.links =
        new ParentLinks(
            io.loop(),
            this::tuning,
            () -> {
              parents.held(holdsAny());
              changed.run();
            });
    this.gates =
        new ListenerGate.Parts(
            this::tuning, tunnelled, new SocketOwners(Path.of("/proc")), io.loop(), blocking);
  }

  private boolean holdsAny() {
    return !links.all().isEmpty();
  }

  /**
   * Accepts only these as parents from now on; connections of others end.
   *
   * @param ids none when any relay of the fleet may be one
   */
  public void parents(Set<String> ids) {
    parents.are(ids);
    io.loop()
        .execute(() -> {
          for (ParentLink link : links.all()) {
            if (!parents.keeps(link.description().parentId())) {
              link.lost("no parent of this child any more");
            }
          }
        });
  }

  private ChildSettings.Tuning tuning() {
    return settings.tuning();
  }

  /**
   * Takes new settings. What is only tuned is tuned while everything goes on; another place to
   * listen means new listeners, and parents and hosts connect again.
   */
  public void settings(ChildSettings next) throws IOException {
    boolean samePlace = settings.samePlace(next);
    settings = next;
    Registration known = registered;
    if (samePlace) {
      io.loop().execute(links::tuned);
    } else if (known != null) {
      startRegistered(known.authority(), known.ownId());
    }
  }

  /** Listens with a key of its own, provable by the pairing key only; nothing passes but Enroll. */
  public void startUnregistered(String fleet, String caFingerprint, PairingKey pairingKey)
      throws IOException {
    KeyPair key = Keys.newP256(random);
    start(
        new ChildAuthority.Unregistered(
            key,
            SelfSigned.create(key, clock, random),
            pairingKey,
            new PinnedRoot(fleet, caFingerprint, clock)),
        "");
    listeners.add(
        listen(
            RelayTarget.RELAY_TARGET_SESSION,
            loopback(),
            new ListenerGate(ListenerGate.Kind.OWN_PROCESS, "", gates)));
    LOG.info("not registered yet: waiting on port {} for the parent relay", port());
  }

  public void startRegistered(ChildAuthority.Registered authority, String ownId)
      throws IOException {
    close();
    registered = new Registration(authority, ownId);
    start(authority, ownId);
    listeners.add(
        listen(
            RelayTarget.RELAY_TARGET_SESSION,
            loopback(),
            new ListenerGate(ListenerGate.Kind.LOOPBACK, ownId, gates)));
    for (ChildSettings.Downstream downstream : settings.downstream()) {
      listeners.add(
          listen(
              downstream.target(),
              downstream.address(),
              new ListenerGate(ListenerGate.Kind.DOWNSTREAM, ownId, gates)));
    }
  }

  private void start(ChildAuthority authority, String ownId) throws IOException {
    server =
        bound(() ->
            ChildServer.start(
                io,
                links,
                authority,
                ownId,
                settings.listen(),
                settings.keepAlive(),
                parents,
                clock));
  }

  private TunnelListener listen(RelayTarget target, InetSocketAddress address, ListenerGate gate)
      throws IOException {
    return bound(() -> new TunnelListener(io, links, budget, target, address, gate));
  }

  private interface Binding<T> {
    T bind() throws IOException;
  }

  /**
   * A listener that was closed a moment ago may still hold its port until the loop's next turn, or,
   * after a restart of the process, until the old one is gone.
   */
  private <T> T bound(Binding<T> binding) throws IOException {
    for (int attempt = 1; ; attempt++) {
      try {
        return binding.bind();
      } catch (IOException e) {
        if (attempt == BIND_ATTEMPTS) {
          throw e;
        }
        var _ =
            io.loop()
                .schedule(() -> {}, BIND_PAUSE_MILLIS, TimeUnit.MILLISECONDS)
                .awaitUninterruptibly();
      }
    }
  }

  private InetSocketAddress loopback() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), settings.loopbackPort());
  }

  /** Whether it stands with a certificate. */
  public boolean isRegistered() {
    return registered != null;
  }

  /** Port that parents dial. */
  public int port() {
    if (server == null) {
      throw new IllegalStateException("not started");
    }
    return server.port();
  }

  /** The loopback port first, then those for hosts below. */
  public List<InetSocketAddress> listening() {
    return listeners.stream().map(TunnelListener::address).toList();
  }

  /** What the persistent connections look like. Callable from any thread but the loop. */
  public List<LinkView> links() {
    return onLoop(() ->
        links.all().stream()
            .map(link ->
                new LinkView(
                    link.description().parentId(),
                    true,
                    link.description().index(),
                    link.draining() || links.stopping()
                        ? LinkView.State.DRAINING
                        : LinkView.State.UP,
                    link.description().remoteAddress(),
                    link.description().since(),
                    link.roundTrip(),
                    link.reserveCount(),
                    link.totals(),
                    ""))
            .toList());
  }

  /** How many connections from below found no stream ready for them, and had to wait. */
  public long waited() {
    return onLoop(links::waited);
  }

  /** How often connections from below were refused, by reason. */
  public Map<String, Long> refusals() {
    return onLoop(() -> links.refusals().counts());
  }

  /** To be called when something was revoked, and now and then, because certificates expire. */
  public void recheck() {
    io.loop().execute(() -> links.all().forEach(ParentLink::recheck));
  }

  /**
   * Takes no new connections from below from now on, and says so to its parents; what is open goes
   * on. For a clean stop: only {@link #close} may follow.
   */
  public void drain(String reason) {
    listeners.forEach(TunnelListener::close);
    listeners.clear();
    onLoop(() -> {
      links.stop(reason);
      return true;
    });
  }

  private <T> T onLoop(Callable<T> task) {
    try {
      return io.loop().submit(task).get();
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    listeners.forEach(TunnelListener::close);
    listeners.clear();
    if (server != null) {
      onLoop(() -> {
        links.closeAll("this relay stops listening");
        return true;
      });
      server.close();
      server = null;
    }
  }
}
