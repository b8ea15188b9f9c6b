package dev.towline.relay.child;

import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.link.LinkPace;
import dev.towline.relay.link.Refusals;
import dev.towline.relay.tunnel.CarryMethod;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The persistent connections of all parents, and the connections from below that wait for a stream
 * on one of them. Of several parents the least loaded gets the next connection; one that drains
 * gets none.
 *
 * <p>Threading: the loop.
 */
final class ParentLinks {
  private static final Logger LOG = LoggerFactory.getLogger(ParentLinks.class);

  /** Refused: no parent is connected, or none of those that are took the connection in time. */
  static final String NO_PARENT = "NO_PARENT";

  static final String NO_STREAM = "NO_STREAM_IN_TIME";

  /** Refused by the gate of a listener. */
  static final String NOT_ADMITTED = "NOT_ADMITTED";

  /** Refused: too many wait already. */
  static final String QUEUE_FULL = "QUEUE_FULL";

  /** Refused: each pair carries as much as it may. */
  static final String PAIR_FULL = "PAIR_FULL";

  private static final int MAX_WAITING = 4096;

  /** Tunnels at once over all connections of one parent. */
  static final int MAX_OF_PAIR = 10_000;

  private final EventLoop loop;
  private final Supplier<ChildSettings.Tuning> tuning;
  private final Runnable changed;

  private final Refusals refusals = new Refusals();
  private final List<ParentLink> links = new ArrayList<>();
  private final Deque<Claim> waiting = new ArrayDeque<>();
  private long waited;
  private String stopReason = "";

  ParentLinks(EventLoop loop, Supplier<ChildSettings.Tuning> tuning, Runnable changed) {
    this.loop = loop;
    this.tuning = tuning;
    this.changed = changed;
  }

  /** A wish for a stream. */
  final class Claim {
    private final RelayTarget target;
    private final Consumer<ServerCarry> granted;
    private final Consumer<String> gaveUp;
    private @Nullable Future<?> timer;

    private Claim(RelayTarget target, Consumer<ServerCarry> granted, Consumer<String> gaveUp) {
      this.target = target;
      this.granted = granted;
      this.gaveUp = gaveUp;
    }

    /** The connection that wanted it is gone. */
    void cancel() {
      if (waiting.remove(this)) {
        stopTimer();
      }
    }

    private void expire() {
      if (waiting.remove(this)) {
        refuse(this, links.isEmpty() ? NO_PARENT : NO_STREAM);
      }
    }

    private void stopTimer() {
      if (timer != null) {
        timer.cancel(false);
      }
    }
  }

  /**
   * Grants at once when a stream is there; otherwise waits for one, for a bounded time.
   *
   * @param gaveUp hears why, when there will be none
   */
  Claim claim(RelayTarget target, Consumer<ServerCarry> granted, Consumer<String> gaveUp) {
    Claim claim = new Claim(target, granted, gaveUp);
    Optional<ParentLink> link = waiting.isEmpty() ? best(target) : Optional.empty();
    if (link.isPresent()) {
      granted.accept(link.get().take());
    } else if (waiting.size() >= MAX_WAITING) {
      refuse(claim, QUEUE_FULL);
    } else if (allFull()) {
      refuse(claim, PAIR_FULL);
    } else {
      waiting.add(claim);
      waited++;
      claim.timer =
          loop.schedule(claim::expire, tuning.get().patience().toMillis(), TimeUnit.MILLISECONDS);
      links.forEach(ParentLink::askForStreams);
    }
    return claim;
  }

  private void refuse(Claim claim, String reason) {
    refusals.count(reason);
    claim.gaveUp.accept(reason);
  }

  private boolean allFull() {
    return !links.isEmpty() && links.stream().allMatch(this::full);
  }

  /** Whether a connection, or the pair that it belongs to, carries as much as it may. */
  private boolean full(ParentLink link) {
    if (link.activeCount() >= CarryMethod.MAX_TUNNELS) {
      return true;
    }
    String parent = link.description().parentId();
    int pair = 0;
    for (ParentLink each : links) {
      pair += each.description().parentId().equals(parent) ? each.activeCount() : 0;
    }
    return pair >= MAX_OF_PAIR;
  }

  /**
   * The least loaded connection. Sessions go over connection 0 of a pair while it has a stream;
   * everything else leaves that one alone as long as its parent has others.
   */
  private Optional<ParentLink> best(RelayTarget target) {
    boolean session = target == RelayTarget.RELAY_TARGET_SESSION;
    return links.stream()
        .filter(link -> link.usable() && !full(link))
        .filter(link -> session || !keptForSessions(link))
        .min(
            Comparator.<ParentLink>comparingInt(
                    link -> (link.description().index() == 0) == session ? 0 : 1)
                .thenComparingInt(ParentLink::activeCount));
  }

  private boolean keptForSessions(ParentLink link) {
    String parent = link.description().parentId();
    return link.description().index() == 0
        && links.stream()
            .anyMatch(each ->
                each.description().index() != 0
                    && !each.draining()
                    && each.description().parentId().equals(parent));
  }

  /** How many connections from below found no stream ready for them. */
  long waited() {
    return waited;
  }

  Refusals refusals() {
    return refusals;
  }

  void streamOffered() {
    while (!waiting.isEmpty()) {
      Claim first = waiting.getFirst();
      Optional<ParentLink> link = best(first.target);
      if (link.isEmpty()) {
        return;
      }
      waiting.removeFirst();
      first.stopTimer();
      first.granted.accept(link.get().take());
    }
  }

  int waiting() {
    return waiting.size();
  }

  int reserveTarget() {
    return tuning.get().reserve();
  }

  LinkPace pace(Duration interval) {
    return tuning.get().pace(interval);
  }

  /** The settings changed. */
  void tuned() {
    for (ParentLink link : all()) {
      link.tuned();
    }
  }

  List<ParentLink> all() {
    return List.copyOf(links);
  }

  void joined(ParentLink link) {
    links.add(link);
    LOG.info(
        "persistent connection {} from parent {} up, from {}",
        link.description().index(),
        link.description().parentId(),
        link.description().remoteAddress());
    changed.run();
  }

  void left(ParentLink link, String reason) {
    if (links.remove(link)) {
      LOG.info(
          "persistent connection {} from parent {} lost: {}",
          link.description().index(),
          link.description().parentId(),
          reason);
      changed.run();
    }
  }

  void changed() {
    changed.run();
  }

  /** This child stops: every parent hears it, also one that comes now. */
  void stop(String reason) {
    stopReason = reason;
    all().forEach(link -> link.drain(reason));
    changed.run();
  }

  boolean stopping() {
    return !stopReason.isEmpty();
  }

  String stopReason() {
    return stopReason;
  }

  void closeAll(String reason) {
    all().forEach(link -> link.lost(reason));
  }
}
