package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.relay.Tuned;
import dev.towline.relay.status.LinkView;
import dev.towline.runtime.relay.RelayTuning;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every setting that a manager may change, changed while a connection is in use, and what that does
 * (R7). Unless the row says so, no connection is lost.
 */
@Timeout(120)
final class SettingsTest {

  /** What a row looks at. */
  private record Stage(Pair pair, Firewall between, Target target, Target flood) {
    void set(Map<String, String> settings) {
      Map<String, String> all = new HashMap<>(Map.of("connections", "2"));
      all.putAll(settings);
      Tuned tuned = new Tuned(all);
      pair.parent.settings(tuned.parent());
      try {
        pair.child.settings(Pair.childSettings(pair.childPort, tuned.child()));
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
      pair.childBudget.limit(tuned.tunnelMemory());
    }

    boolean isServed(InetSocketAddress listener) {
      try (Socket socket = Pair.connect(listener)) {
        socket.setSoTimeout(3000);
        socket.getOutputStream().write(5);
        return socket.getInputStream().read() == 5;
      } catch (IOException e) {
        return false;
      }
    }
  }

  private interface Effect {
    void on(Stage stage) throws Exception;
  }

  private record Row(
      RelayTuning tuning, Map<String, String> settings, boolean losesConnections, Effect effect) {
    @Override
    public String toString() {
      return settings.toString();
    }
  }

  private static Row row(RelayTuning tuning, int value, Effect effect) {
    return new Row(tuning, Map.of(tuning.key(), String.valueOf(value)), false, effect);
  }

  private static Row losing(RelayTuning tuning, Map<String, String> settings, Effect effect) {
    return new Row(tuning, settings, true, effect);
  }

  static Stream<Row> rows() {
    return Stream.of(
        row(RelayTuning.CONNECTIONS, 4, SettingsTest::fourThenOne),
        row(RelayTuning.PING_INTERVAL, 100, SettingsTest::pingsOften),
        losing(
            RelayTuning.PING_TIMEOUT,
            Map.of("ping-interval-ms", "2000", "ping-timeout-ms", "100", "ping-misses", "1"),
            stage -> assertThat(silenceNoticedAfter(stage)).isLessThan(Duration.ofMillis(3500))),
        losing(
            RelayTuning.PING_MISSES,
            Map.of("ping-interval-ms", "500", "ping-timeout-ms", "500", "ping-misses", "8"),
            stage ->
                assertThat(silenceNoticedAfter(stage))
                    .isBetween(Duration.ofMillis(3000), Duration.ofMillis(7000))),
        losing(
            RelayTuning.CONNECT_TIMEOUT,
            Map.of("connect-timeout-ms", "200", "ping-interval-ms", "300"),
            SettingsTest::givesUpSoon),
        losing(
            RelayTuning.BACKOFF,
            Map.of("reconnect-backoff-ms", "4000", "reconnect-cap-ms", "4000"),
            stage -> assertThat(dialsWithin(stage, Duration.ofSeconds(5))).isBetween(1, 24)),
        losing(
            RelayTuning.BACKOFF_CAP,
            Map.of("reconnect-backoff-ms", "100", "reconnect-cap-ms", "100"),
            stage -> assertThat(dialsWithin(stage, Duration.ofSeconds(5))).isGreaterThan(30)),
        row(
            RelayTuning.RESERVE,
            64,
            stage ->
                Await.until(
                    "64 in reserve",
                    () ->
                        stage.pair().child.links().stream()
                            .allMatch(link -> link.reserve() == 64))),
        new Row(
            RelayTuning.MAX_RESERVE,
            Map.of("max-reserve", "20", "reserve", "200"),
            false,
            stage ->
                Await.until(
                    "no more than 20 in reserve",
                    () ->
                        stage.pair().parent.links().stream()
                            .allMatch(link -> link.reserve() == 20))),
        new Row(
            RelayTuning.STREAM_WAIT,
            Map.of("stream-wait-ms", "300", "drain", "1"),
            false,
            SettingsTest::waitsShortly),
        row(RelayTuning.CONNECTION_LIMIT, 1, stage -> oneAtOnce(stage, stage.pair().sessionPort())),
        row(RelayTuning.SOURCE_LIMIT, 1, stage -> oneAtOnce(stage, stage.pair().sessionPort())),
        row(RelayTuning.USER_LIMIT, 1, stage -> oneAtOnce(stage, stage.pair().loopbackPort())),
        row(RelayTuning.TUNNEL_MEMORY, 1, SettingsTest::holdsOneMebibyte),
        row(RelayTuning.DRAIN, 1, SettingsTest::takesNothingNew));
  }

  @Test
  @Requirement("R7")
  void everySetting_hasARow() {
    assertThat(rows().map(Row::tuning))
        .containsExactlyInAnyOrderElementsOf(EnumSet.allOf(RelayTuning.class));
  }

  @ParameterizedTest
  @MethodSource("rows")
  @Requirement("R7")
  void setting_changedUnderTraffic_takesEffect(Row row) throws Exception {
    try (Target echo = Target.echo();
        Target flood = new Target(SettingsTest::flood);
        Pair pair = new Pair(echo.address(), flood.address());
        Firewall between = new Firewall(pair.childPort)) {
      Stage stage = new Stage(pair, between, echo, flood);
      stage.set(Map.of("connections", "2", "ping-interval-ms", "5000"));
      pair.parent.children(List.of(Pair.listed("child-1", between.port(), new byte[0])));
      pair.awaitUp();
      Set<Instant> since = since(pair);
      try (Socket traffic = Pair.connect(pair.loopbackPort());
          Traffic running = new Traffic(traffic)) {
        running.awaitMore();

        stage.set(row.settings());
        row.effect().on(stage);

        if (!row.losesConnections()) {
          running.awaitMore();
          assertThat(since(pair))
              .as("the first connections still stand")
              .containsAll(row.tuning() == RelayTuning.CONNECTIONS ? first(pair) : since);
        }
      }
    }
  }

  private static Set<Instant> since(Pair pair) {
    Set<Instant> all = new HashSet<>();
    pair.parent.links().forEach(link -> all.add(link.since()));
    return all;
  }

  private static Set<Instant> first(Pair pair) {
    return Set.of(pair.parent.links().getFirst().since());
  }

  /** One byte there and back, again and again. */
  private static final class Traffic implements AutoCloseable {
    private final AtomicInteger rounds = new AtomicInteger();
    private final AtomicBoolean stop = new AtomicBoolean();
    private volatile String problem = "";

    Traffic(Socket socket) {
      Thread.startVirtualThread(() -> {
        try {
          while (!stop.get()) {
            socket.getOutputStream().write(1);
            if (socket.getInputStream().read() != 1) {
              throw new IOException("ended");
            }
            rounds.incrementAndGet();
          }
        } catch (IOException e) {
          problem = String.valueOf(e.getMessage());
        }
      });
    }

    void awaitMore() {
      int before = rounds.get();
      Await.until(
          "traffic goes on",
          () -> {
            assertThat(problem).as("the connection in use").isEmpty();
            return rounds.get() > before + 10;
          });
    }

    @Override
    public void close() {
      stop.set(true);
    }
  }

  private static void flood(Socket socket) throws IOException {
    byte[] block = new byte[1 << 20];
    for (int i = 0; i < 64; i++) {
      socket.getOutputStream().write(block);
    }
    socket.shutdownOutput();
  }

  // The effects.

  private static void fourThenOne(Stage stage) {
    Pair pair = stage.pair();
    Await.until(
        "four connections",
        () -> Pair.up(pair.parent.links()) == 4 && pair.child.links().size() == 4);
    stage.set(Map.of("connections", "1"));
    Await.until(
        "one connection", () -> pair.parent.links().size() == 1 && pair.child.links().size() == 1);
  }

  private static void pingsOften(Stage stage) {
    awaitPings(stage, 10, Duration.ofSeconds(5));
  }

  /** The child sees round trips of so many pings; no two take the same number of nanoseconds. */
  private static void awaitPings(Stage stage, int count, Duration limit) {
    Set<Duration> measured = new HashSet<>();
    Await.until(
        "round trips measured " + count + " times",
        limit,
        () -> {
          for (LinkView link : stage.pair().child.links()) {
            if (link.index() == 0 && link.roundTrip() != null) {
              measured.add(link.roundTrip());
            }
          }
          return measured.size() >= count;
        });
  }

  private static Duration silenceNoticedAfter(Stage stage) {
    // The child heard of the change: it pings at the new pace.
    awaitPings(stage, 3, Duration.ofSeconds(8));
    stage.between().silent(true);
    long from = System.nanoTime();
    Await.until("child noticed", () -> stage.pair().child.links().isEmpty());
    Await.until("parent noticed", () -> Pair.up(stage.pair().parent.links()) == 0);
    return Duration.ofNanos(System.nanoTime() - from);
  }

  private static void givesUpSoon(Stage stage) {
    stage.between().silent(true);
    Await.until("lost", () -> Pair.up(stage.pair().parent.links()) == 0);
    Await.until(
        "dials that nobody answers are given up",
        Duration.ofSeconds(5),
        () ->
            stage.pair().parent.links().stream()
                .anyMatch(link -> link.lastError().startsWith("no answer within")));
  }

  /** How often a parent dials a child that hangs up at once. */
  private static int dialsWithin(Stage stage, Duration time) throws Exception {
    AtomicInteger dials = new AtomicInteger();
    try (ServerSocket rude = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread.startVirtualThread(() -> {
        while (true) {
          try (Socket _ = rude.accept()) {
            dials.incrementAndGet();
          } catch (IOException e) {
            return;
          }
        }
      });
      stage
          .pair()
          .parent
          .children(List.of(Pair.listed("child-2", rude.getLocalPort(), new byte[0])));
      long end = System.nanoTime() + time.toNanos();
      Await.until("the time has passed", () -> System.nanoTime() > end);
    }
    return dials.get();
  }

  private static void waitsShortly(Stage stage) {
    Await.until(
        "draining",
        () ->
            stage.pair().child.links().stream()
                .allMatch(link -> link.state() == LinkView.State.DRAINING));
    long from = System.nanoTime();
    assertThat(stage.isServed(stage.pair().sessionPort())).isFalse();
    assertThat(Duration.ofNanos(System.nanoTime() - from)).isLessThan(Duration.ofSeconds(2));
  }

  private static void oneAtOnce(Stage stage, InetSocketAddress listener) throws IOException {
    boolean loopback = listener.equals(stage.pair().loopbackPort());
    if (loopback) {
      // The traffic is there already.
      assertThat(stage.isServed(listener)).isFalse();
      return;
    }
    try (Socket one = Pair.connect(listener)) {
      one.getOutputStream().write(5);
      assertThat(one.getInputStream().read()).isEqualTo(5);
      assertThat(stage.isServed(listener)).isFalse();
    }
    Await.until("free again", () -> stage.isServed(listener));
  }

  private static void holdsOneMebibyte(Stage stage) throws IOException {
    try (Socket bulk = Pair.connect(stage.pair().publicPort())) {
      byte[] buffer = new byte[1 << 18];
      long most = 0;
      long read = 0;
      for (int n = bulk.getInputStream().read(buffer);
          n >= 0;
          n = bulk.getInputStream().read(buffer)) {
        read += n;
        most = Math.max(most, stage.pair().childMemory());
      }
      assertThat(read).isEqualTo(64L << 20);
      assertThat(most).isBetween(1L, 1L << 20);
    }
    stage.set(Map.of("tunnel-memory-mib", "64"));
    long most = 0;
    try (Socket bulk = Pair.connect(stage.pair().publicPort())) {
      byte[] buffer = new byte[1 << 18];
      while (bulk.getInputStream().read(buffer) >= 0) {
        most = Math.max(most, stage.pair().childMemory());
      }
    }
    assertThat(most).as("with room for more").isGreaterThan(1L << 20);
  }

  private static void takesNothingNew(Stage stage) {
    Pair pair = stage.pair();
    Await.until(
        "draining",
        () ->
            Stream.concat(pair.child.links().stream(), pair.parent.links().stream())
                .allMatch(link -> link.state() == LinkView.State.DRAINING));
    assertThat(stage.isServed(pair.sessionPort())).isFalse();
    stage.set(Map.of());
    Await.until("served again", () -> stage.isServed(pair.sessionPort()));
    assertThat(Arrays.asList(pair.child.links().toArray())).isNotEmpty();
  }
}
