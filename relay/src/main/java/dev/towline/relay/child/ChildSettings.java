package dev.towline.relay.child;

import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.link.LinkPace;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;

/**
 * Settings of a child.
 *
 * @param listen where parents dial in
 * @param loopbackPort where the relay's own traffic enters; always on the loopback interface (R3)
 * @param downstream where hosts below connect (R8)
 * @param keepAlive after this long without a byte the transport itself asks the parent
 * @param tuning may change while it runs
 */
public record ChildSettings(
    InetSocketAddress listen,
    int loopbackPort,
    List<Downstream> downstream,
    Duration keepAlive,
    Tuning tuning) {

  public static final int DEFAULT_PORT = 52311;
  public static final int DEFAULT_LOOPBACK_PORT = 52312;
  public static final Duration DEFAULT_KEEP_ALIVE = Duration.ofSeconds(15);

  public ChildSettings {
    downstream = List.copyOf(downstream);
  }

  /** One listener for hosts below, which reaches one target. */
  public record Downstream(RelayTarget target, InetSocketAddress address) {}

  /**
   * What may change while it runs (R7).
   *
   * @param reserve streams that each persistent connection keeps ready
   * @param patience how long a connection from below waits for a stream
   * @param connectionLimit connections at once, on each listener
   * @param sourceLimit connections at once from one address, on each listener
   * @param userLimit connections at once of one user of this host, on the loopback port
   * @param answerWithin a ping to a parent that is answered later counts as missed
   * @param misses in a row that end a connection; the interval is the parent's
   */
  public record Tuning(
      int reserve,
      Duration patience,
      int connectionLimit,
      int sourceLimit,
      int userLimit,
      Duration answerWithin,
      int misses) {
    public static final Tuning DEFAULTS =
        new Tuning(
            16,
            Duration.ofSeconds(10),
            9000,
            4000,
            64,
            LinkPace.USUAL_ANSWER,
            LinkPace.USUAL_MISSES);

    LinkPace pace(Duration interval) {
      return new LinkPace(interval, answerWithin, misses);
    }
  }

  boolean samePlace(ChildSettings other) {
    return listen.equals(other.listen)
        && loopbackPort == other.loopbackPort
        && downstream.equals(other.downstream)
        && keepAlive.equals(other.keepAlive);
  }
}
