package dev.towline.manager.session;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * Questions that a peer answers at once: how long it took is the round trip. Belongs to the
 * session's serial executor.
 */
final class Probes {
  private final SessionLink link;
  private final Map<Long, Sent> underWay = new HashMap<>();
  private long last;

  Probes(SessionLink link) {
    this.link = link;
  }

  private record Sent(long nanos, CompletableFuture<Duration> answered) {}

  /**
   * @param answered gets the round trip, or fails when the session ends before
   */
  void ask(CompletableFuture<Duration> answered) {
    long number = ++last;
    underWay.put(number, new Sent(System.nanoTime(), answered));
    link.send(ManagerFrames.probe(number));
  }

  /**
   * @param nanos when the answer arrived
   */
  void answered(long number, long nanos) {
    Sent sent = underWay.remove(number);
    if (sent != null) {
      var _ = sent.answered().complete(Duration.ofNanos(nanos - sent.nanos()));
    }
  }

  /** No answer comes any more. */
  void ended() {
    underWay.values().forEach(sent -> ended(sent.answered()));
    underWay.clear();
  }

  static void ended(CompletableFuture<Duration> answered) {
    var _ = answered.completeExceptionally(new IllegalStateException("the session ended"));
  }
}
