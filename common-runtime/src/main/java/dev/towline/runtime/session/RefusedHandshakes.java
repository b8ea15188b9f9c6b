package dev.towline.runtime.session;

import dev.towline.runtime.tls.HandshakeRefusal;
import dev.towline.runtime.tls.HandshakeWatch;
import dev.towline.runtime.tls.Turns;
import java.time.Duration;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;
import javax.net.ssl.SSLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the log, and the manager at most once in a while, of peers whose TLS has nothing in common
 * with a listener of this program (T2). Safe for use by several threads.
 */
public final class RefusedHandshakes implements HandshakeWatch.Listener {
  /** Between two reports to the manager: anybody can cause one. */
  public static final Duration REPORT_EVERY = Duration.ofSeconds(10);

  private static final Logger log = LoggerFactory.getLogger(RefusedHandshakes.class);
  private static final String REFUSED = "tls.refused";

  private final BiConsumer<String, String> events;
  private final Turns turns;

  /**
   * @param events takes code and detail of what the manager shall know
   * @param nanoTime monotonic, as {@link System#nanoTime}
   */
  public RefusedHandshakes(BiConsumer<String, String> events, LongSupplier nanoTime) {
    this.events = events;
    this.turns = new Turns(1, REPORT_EVERY, nanoTime);
  }

  @Override
  public void outsideProfile(String peer, HandshakeRefusal refusal) {
    log.warn("{}: {}: {}", REFUSED, peer, refusal);
    if (turns.take()) {
      events.accept(REFUSED, peer + ": " + refusal);
    }
  }

  @Override
  public void failed(String peer, SSLException failure) {
    log.debug("TLS with {} failed: {}", peer, failure.getMessage());
  }
}
