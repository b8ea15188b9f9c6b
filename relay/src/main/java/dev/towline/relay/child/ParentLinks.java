package dev.towline.relay.child;

import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.link.LinkPace;
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
  private static final int MAX_WAITING = 1024;

  private final EventLoop loop;
  private final Supplier<ChildSettings.Tuning> tuning;
  private final Runnable changed;

  private final List<ParentLink> links = new ArrayList<>();
  private final Deque<Claim> waiting = new ArrayDeque<>();

  ParentLinks(EventLoop loop, Supplier<ChildSettings.Tuning> tuning, Runnable changed) {
    this.loop = loop;
    this.tuning = tuning;
    this.changed = changed;
  }

  /** A wish for a stream. */
  final class Claim {
    private final RelayTarget target;
    private final Consumer<ServerCarry> granted;
    private final Runnable gaveUp;
    private @Nullable Future<?> timer;

    private Claim(RelayTarget target, Consumer<ServerCarry> granted, Runnable gaveUp) {
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
        gaveUp.run();
      }
    }

    private void stopTimer() {
      if (timer != null) {
        timer.cancel(false);
      }
    }
  }

  /** Grants at once when a stream is there; otherwise waits for one, for a bounded time. */
  Claim claim(RelayTarget target, Consumer<ServerCarry> granted, Runnable gaveUp) {
    Claim claim = new Claim(target, granted, gaveUp);
    Optional<ParentLink> link = waiting.isEmpty() ? best(target) : Optional.empty();
    if (link.isPresent()) {
      granted.accept(link.get().take());
    } else if (waiting.size() >= MAX_WAITING) {
      gaveUp.run();
    } else {
      waiting.add(claim);
      claim.timer =
          loop.schedule(claim::expire, tuning.get().patience().toMillis(), TimeUnit.MILLISECONDS);
      links.forEach(ParentLink::askForStreams);
    }
    return claim;
  }

  private Optional<ParentLink> best(RelayTarget target) {
    boolean session = target == RelayTarget.RELAY_TARGET_SESSION;
    return links.stream()
        .filter(ParentLink::usable)
        .min(
            Comparator.<ParentLink>comparingInt(
                    link -> (link.description().index() == 0) == session ? 0 : 1)
                .thenComparingInt(ParentLink::activeCount));
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

  void closeAll(String reason) {
    all().forEach(link -> link.lost(reason));
  }
}
