package dev.towline.relay.child;

import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Who may enter a listener: so many connections in all, from one address, and, on the loopback
 * port, of one user of this host. Connections that this process itself tunnels on, as the parent of
 * another child, count only in all: they are judged by their own child, and keep their source.
 *
 * <p>Threading: the loop; the kernel's tables are read on the executor.
 */
final class ListenerGate {
  /** On which terms. */
  enum Kind {
    /** For hosts below. */
    DOWNSTREAM,
    /** For this host. */
    LOOPBACK,
    /** For this process alone: not registered yet (R6). */
    OWN_PROCESS
  }

  private final Kind kind;
  private final String ownId;
  private final Supplier<ChildSettings.Tuning> tuning;
  private final Function<InetSocketAddress, Optional<Origin>> tunnelled;
  private final SocketOwners owners;
  private final EventLoop loop;
  private final Executor blocking;
  private final Map<InetAddress, Integer> bySource = new HashMap<>();
  private final Map<Integer, Integer> byUser = new HashMap<>();
  private int all;

  /** What all gates of a child share. */
  record Parts(
      Supplier<ChildSettings.Tuning> tuning,
      Function<InetSocketAddress, Optional<Origin>> tunnelled,
      SocketOwners owners,
      EventLoop loop,
      Executor blocking) {}

  ListenerGate(Kind kind, String ownId, Parts parts) {
    this.kind = kind;
    this.ownId = ownId;
    this.tuning = parts.tuning();
    this.tunnelled = parts.tunnelled();
    this.owners = parts.owners();
    this.loop = parts.loop();
    this.blocking = parts.blocking();
  }

  /** Counts one connection from its coming to its going. */
  final class Visit {
    private final InetSocketAddress source;
    private boolean byAddress;
    private @Nullable Integer user;
    private boolean gone;

    private Visit(InetSocketAddress source) {
      this.source = source;
    }

    /** To be called once, when the connection has ended. */
    void left() {
      if (gone) {
        return;
      }
      gone = true;
      all--;
      if (byAddress) {
        count(bySource, source.getAddress(), -1);
      }
      if (user != null) {
        count(byUser, user, -1);
      }
    }
  }

  /**
   * Judges a connection; one of the two hears on the loop, perhaps later.
   *
   * @param server the end at the listener
   * @param refused hears why
   */
  Visit enter(
      InetSocketAddress source,
      InetSocketAddress server,
      Consumer<Origin> admitted,
      Consumer<String> refused) {
    Visit visit = new Visit(source);
    all++;
    int most = tuning.get().connectionLimit();
    if (all > most) {
      refused.accept(most + " connections are open, as many as this listener takes");
      return visit;
    }
    Optional<Origin> inner = tunnelled.apply(source);
    if (inner.isPresent() && kind != Kind.OWN_PROCESS) {
      admitted.accept(inner.get());
      return visit;
    }
    int perSource = tuning.get().sourceLimit();
    if (kind == Kind.DOWNSTREAM) {
      visit.byAddress = true;
      if (count(bySource, source.getAddress(), 1) > perSource) {
        refused.accept(
            "%d connections from %s are open, as many as one address may have"
                .formatted(perSource, source.getAddress().getHostAddress()));
      } else {
        admitted.accept(direct(source));
      }
      return visit;
    }
    blocking.execute(() -> {
      Verdict verdict = look(source, server);
      loop.execute(() -> judge(visit, verdict, admitted, refused));
    });
    return visit;
  }

  private record Verdict(SocketOwners.@Nullable Owner owner, boolean own, String problem) {}

  private Verdict look(InetSocketAddress source, InetSocketAddress server) {
    try {
      Optional<SocketOwners.Owner> owner = owners.of(source, server);
      if (owner.isEmpty()) {
        return new Verdict(null, false, "its owner is not known");
      }
      boolean own = kind == Kind.OWN_PROCESS && owners.isOwn(owner.get().inode());
      return new Verdict(owner.get(), own, "");
    } catch (IOException | NumberFormatException e) {
      return new Verdict(null, false, "its owner can't be found: " + e.getMessage());
    }
  }

  private void judge(
      Visit visit, Verdict verdict, Consumer<Origin> admitted, Consumer<String> refused) {
    if (visit.gone) {
      return;
    }
    SocketOwners.Owner owner = verdict.owner();
    if (owner == null) {
      refused.accept(verdict.problem());
      return;
    }
    if (kind == Kind.OWN_PROCESS) {
      if (verdict.own()) {
        admitted.accept(direct(visit.source));
      } else {
        refused.accept("user " + owner.uid() + ": not registered yet, only the relay may enter");
      }
      return;
    }
    visit.user = owner.uid();
    int most = tuning.get().userLimit();
    if (count(byUser, owner.uid(), 1) > most) {
      refused.accept(
          "%d connections of user %d are open, as many as one user may have"
              .formatted(most, owner.uid()));
    } else {
      admitted.accept(direct(visit.source));
    }
  }

  private Origin direct(InetSocketAddress source) {
    return new Origin(
        source.getAddress().getHostAddress() + ":" + source.getPort(), List.of(ownId));
  }

  private static <K> int count(Map<K, Integer> counts, K key, int change) {
    int now = counts.merge(key, change, Integer::sum);
    if (now <= 0) {
      counts.remove(key);
    }
    return now;
  }
}
