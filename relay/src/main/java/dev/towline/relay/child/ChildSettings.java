package dev.towline.relay.child;

import dev.towline.proto.v1.RelayTarget;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;

/**
 * Settings of a child.
 *
 * @param listen where parents dial in
 * @param loopbackPort where the relay's own traffic enters; always on the loopback interface (R3)
 * @param downstream where hosts below connect (R8)
 * @param reserve streams that each persistent connection keeps ready
 * @param patience how long a connection from below waits for a stream
 * @param keepAlive after this long without a byte the transport itself asks the parent
 * @param connectionLimit connections at once, on each listener
 */
public record ChildSettings(
    InetSocketAddress listen,
    int loopbackPort,
    List<Downstream> downstream,
    int reserve,
    Duration patience,
    Duration keepAlive,
    int connectionLimit) {

  public static final int DEFAULT_PORT = 52311;
  public static final int DEFAULT_LOOPBACK_PORT = 52312;
  public static final int DEFAULT_RESERVE = 16;
  public static final Duration DEFAULT_PATIENCE = Duration.ofSeconds(10);
  public static final Duration DEFAULT_KEEP_ALIVE = Duration.ofSeconds(15);
  public static final int DEFAULT_CONNECTION_LIMIT = 9000;

  public ChildSettings {
    downstream = List.copyOf(downstream);
  }

  /** One listener for hosts below, which reaches one target. */
  public record Downstream(RelayTarget target, InetSocketAddress address) {}

  public static ChildSettings of(
      InetSocketAddress listen, int loopbackPort, List<Downstream> downstream) {
    return new ChildSettings(
        listen,
        loopbackPort,
        downstream,
        DEFAULT_RESERVE,
        DEFAULT_PATIENCE,
        DEFAULT_KEEP_ALIVE,
        DEFAULT_CONNECTION_LIMIT);
  }
}
