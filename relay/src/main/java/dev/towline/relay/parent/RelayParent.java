package dev.towline.relay.parent;

import dev.towline.proto.v1.RelayChild;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.status.LinkView;
import dev.towline.relay.tunnel.Connector;
import dev.towline.relay.tunnel.CreditBudget;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.tls.TlsProfile;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The parent of its children: dials those on the list and no others (R1, R2).
 *
 * <p>Lifecycle: dials as soon as {@link #children} is called, ends with {@link #close}. A new list
 * touches only what it changes. Threading: callable from any thread but the loop.
 */
public final class RelayParent implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RelayParent.class);

  private final RelayIo io;
  private final TlsProfile profile;
  private final Supplier<Optional<IssuedIdentity>> identity;
  private final Supplier<List<X509Certificate>> roots;
  private final PeerVerifier verifier;
  private final ChildDialer.Shared shared;
  private volatile ParentSettings settings;
  private final Map<String, ChildDialer> dialers = new LinkedHashMap<>();

  /**
   * @param lookups for what may block: name lookups
   * @param changed called on the loop when a connection changes its state
   */
  public RelayParent(
      RelayIo io,
      ParentSettings settings,
      String ownId,
      TlsProfile profile,
      Supplier<Optional<IssuedIdentity>> identity,
      Supplier<List<X509Certificate>> roots,
      PeerVerifier verifier,
      Connector connector,
      CreditBudget budget,
      InstantSource clock,
      SecureRandom random,
      Executor lookups,
      Runnable changed) {
    this.io = io;
    this.profile = profile;
    this.identity = identity;
    this.roots = roots;
    this.verifier = verifier;
    this.settings = settings;
    byte[] instance = new byte[8];
    random.nextBytes(instance);
    this.shared =
        new ChildDialer.Shared(
            io,
            this::settings,
            connector,
            budget,
            HexFormat.of().formatHex(instance),
            List.of(ownId),
            clock,
            random,
            lookups,
            changed);
  }

  private ParentSettings settings() {
    return settings;
  }

  /** Takes new settings; no connection is lost for it. */
  public void settings(ParentSettings next) {
    settings = next;
    io.loop().execute(() -> List.copyOf(dialers.values()).forEach(ChildDialer::tuned));
  }

  /**
   * Takes no new connections from now on; what is open goes on. Children with other parents place
   * theirs there (R1).
   */
  public void drain() {
    settings(settings.drained());
  }

  /** Is a parent no longer: leaves all its children. */
  public void noChildren() {
    onLoop(() -> {
      apply(List.of());
      return true;
    });
  }

  public boolean hasChildren() {
    return onLoop(() -> !dialers.isEmpty());
  }

  /**
   * Takes a whole new list.
   *
   * @throws IllegalArgumentException when it is empty or has an address that is none; the old list
   *     stays
   */
  public void children(List<RelayChild> list) {
    List<Child> children = check(list);
    onLoop(() -> {
      apply(children);
      return true;
    });
  }

  /**
   * @throws IllegalArgumentException when {@link #children} would refuse the list
   */
  static List<Child> check(List<RelayChild> list) {
    if (list.isEmpty()) {
      throw new IllegalArgumentException("child list: empty (expected: at least one child)");
    }
    return list.stream().map(Child::of).toList();
  }

  private void apply(List<Child> children) {
    Map<String, Child> wanted = new LinkedHashMap<>();
    children.forEach(child -> wanted.put(child.relayId(), child));
    for (ChildDialer dialer : List.copyOf(dialers.values())) {
      Child now = wanted.get(dialer.child().relayId());
      if (now != null && sameButPairing(now, dialer.child())) {
        dialer.registered(now, trust(now));
      } else if (!dialer.child().equals(now)) {
        dialers.remove(dialer.child().relayId());
        dialer.close(now == null ? "no longer on the child list" : "its settings changed");
      }
    }
    wanted.forEach((id, child) ->
        dialers.computeIfAbsent(
            id,
            _ -> {
              LOG.info("child {} at {}: dialling", child.name(), child.address());
              ChildDialer dialer = new ChildDialer(child, shared, trust(child));
              dialer.start();
              return dialer;
            }));
    shared.changed().run();
  }

  private ChildTrust trust(Child child) {
    return new ChildTrust(child, profile, identity, roots, verifier);
  }

  private static boolean sameButPairing(Child now, Child before) {
    return now.relayId().equals(before.relayId())
        && now.address().equals(before.address())
        && before.mayBeUnregistered()
        && !now.mayBeUnregistered();
  }

  /** What the persistent connections look like. */
  public List<LinkView> links() {
    return onLoop(() -> {
      List<LinkView> views = new ArrayList<>();
      dialers.values().forEach(dialer -> views.addAll(dialer.views()));
      return views;
    });
  }

  /** To be called when something was revoked, and now and then, because certificates expire. */
  public void recheck() {
    io.loop().execute(() -> List.copyOf(dialers.values()).forEach(ChildDialer::recheck));
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
    onLoop(() -> {
      dialers.values().forEach(dialer -> dialer.close("this relay stops"));
      dialers.clear();
      return true;
    });
  }
}
