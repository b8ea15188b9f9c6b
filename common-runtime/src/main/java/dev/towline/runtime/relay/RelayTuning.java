package dev.towline.runtime.relay;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The settings of a relay that its manager may change while it runs (R7). The relay's file, the
 * environment and the command line know them under the same keys.
 */
public enum RelayTuning {
  CONNECTIONS("connections", 4, 1, 16, "persistent connections to each child", Effect.LIVE),
  PING_INTERVAL("ping-interval-ms", 15_000, 100, 300_000, "time between two pings", Effect.LIVE),
  PING_TIMEOUT(
      "ping-timeout-ms", 5_000, 50, 60_000, "a ping answered later counts as missed", Effect.LIVE),
  PING_MISSES("ping-misses", 2, 1, 10, "missed pings in a row that end a connection", Effect.LIVE),
  CONNECT_TIMEOUT(
      "connect-timeout-ms",
      2_000,
      100,
      60_000,
      "how long the dial of a child may take",
      Effect.NEXT_CONNECTION),
  BACKOFF(
      "reconnect-backoff-ms",
      500,
      10,
      4_000,
      "first bound of the random delay before the next dial",
      Effect.NEXT_CONNECTION),
  // With the kernel's longest pause between two attempts of one dial, 1 s, a parent dials at the
  // latest 2.5 s after its network is back.
  BACKOFF_CAP(
      "reconnect-cap-ms",
      1_500,
      100,
      4_000,
      "last bound of the random delay before the next dial",
      Effect.NEXT_CONNECTION),
  RESERVE("reserve", 16, 1, 1_024, "streams kept ready on each persistent connection", Effect.LIVE),
  MAX_RESERVE("max-reserve", 1_024, 1, 8_192, "most streams that a child may ask for", Effect.LIVE),
  STREAM_WAIT(
      "stream-wait-ms",
      10_000,
      100,
      60_000,
      "how long a connection from below waits for a stream",
      Effect.LIVE),
  CONNECTION_LIMIT(
      "connection-limit", 9_000, 1, 20_000, "connections at once on each listener", Effect.LIVE),
  SOURCE_LIMIT(
      "source-limit",
      4_000,
      1,
      20_000,
      "connections at once from one address, on each listener",
      Effect.LIVE),
  USER_LIMIT(
      "user-limit",
      64,
      1,
      20_000,
      "connections at once of one user of this host, on the loopback port",
      Effect.LIVE),
  TUNNEL_MEMORY(
      "tunnel-memory-mib",
      96,
      1,
      16_384,
      "what all tunnels together may hold beyond their first 64 KiB",
      Effect.LIVE),
  DRAIN(
      "drain",
      0,
      0,
      1,
      "1: as a parent, take no new connections; those that are go on",
      Effect.LIVE);

  private final String key;
  private final int builtIn;
  private final int least;
  private final int most;
  private final String meaning;
  private final Effect effect;

  /** From when on a change counts. No change ends a connection. */
  public enum Effect {
    LIVE,
    NEXT_CONNECTION
  }

  RelayTuning(String key, int builtIn, int least, int most, String meaning, Effect effect) {
    this.key = key;
    this.builtIn = builtIn;
    this.least = least;
    this.most = most;
    this.meaning = meaning;
    this.effect = effect;
  }

  public String key() {
    return key;
  }

  public int builtIn() {
    return builtIn;
  }

  public String meaning() {
    return meaning;
  }

  public Effect effect() {
    return effect;
  }

  public String range() {
    return least + " to " + most;
  }

  /** Whether a text is a value of this setting. */
  public boolean accepts(String value) {
    try {
      int number = Integer.parseInt(value);
      return number >= least && number <= most;
    } catch (NumberFormatException e) {
      return false;
    }
  }

  public static Optional<RelayTuning> of(String key) {
    return Arrays.stream(values()).filter(each -> each.key.equals(key)).findFirst();
  }

  public static List<String> keys() {
    return Arrays.stream(values()).map(RelayTuning::key).toList();
  }
}
