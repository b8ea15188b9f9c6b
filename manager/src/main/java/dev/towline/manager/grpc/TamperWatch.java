package dev.towline.manager.grpc;

import dev.towline.manager.events.Events;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.sealed.SealedFailure;
import dev.towline.runtime.tls.HandshakeRefusal;
import dev.towline.runtime.tls.HandshakeWatch;
import dev.towline.runtime.tls.Turns;
import java.time.Duration;
import java.util.function.LongSupplier;
import javax.net.ssl.SSLException;

/**
 * Records connections whose TLS records fail their authentication (bytes that somebody altered on
 * the way, or played back), and peers whose TLS has nothing in common with the manager's (T2).
 *
 * <p>Threading: called by every connection's event loop. Nobody is authenticated yet, so events are
 * limited to a few per minute.
 */
final class TamperWatch implements HandshakeWatch.Listener {
  private static final int MOST_PER_MINUTE = 20;

  private final Events events;
  private final Turns turns;

  TamperWatch(Events events, LongSupplier nanoTime) {
    this.events = events;
    this.turns = new Turns(MOST_PER_MINUTE, Duration.ofMinutes(1), nanoTime);
  }

  @Override
  public void outsideProfile(String peer, HandshakeRefusal refusal) {
    events.record("tls.refused", peer, refusal.toString());
  }

  @Override
  public void failed(String peer, SSLException failure) {
    SealedFailure found = SealedChannel.failureOf(failure);
    if (found.reason() == SealedFailure.Reason.BAD_RECORD && turns.take()) {
      events.record("session.tampered", peer, "connection: " + found.detail());
    }
  }
}
