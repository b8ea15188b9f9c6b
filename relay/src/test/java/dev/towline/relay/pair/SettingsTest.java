package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.relay.Tuned;
import dev.towline.relay.status.LinkView;
import dev.towline.runtime.relay.RelayTuning;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
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
@Timeout(300)
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

  /** Far from what a row sets, so that its effect shows however slow the machine is. */
  private static final Map<String, String> BEFORE =
      Map.of("connections", "2", "ping-interval-ms", "10000", "stream-wait-ms", "60000");

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
        // An answer has to come within the interval; a busy machine may miss some of them.
        new Row(
            RelayTuning.PING_INTERVAL,
            Map.of("ping-interval-ms", "300", "ping-misses", "10"),
            false,
            SettingsTest::pingsOften),
        losing(
            RelayTuning.PING_TIMEOUT,
            Map.of("ping-interval-ms", "2000", "ping-timeout-ms", "100", "ping-misses", "1"),
            SettingsTest::missesLateAnswers),
        losing(
            RelayTuning.PING_MISSES,
            Map.of("ping-interval-ms", "500", "ping-timeout-ms", "500", "ping-misses", "8"),
            // With the usual two misses it would be less than 2 s.
            stage -> assertThat(silenceNoticedAfter(stage)).isGreaterThan(Duration.ofMillis(3000))),
        losing(
            RelayTuning.CONNECT_TIMEOUT,
            Map.of("connect-timeout-ms", "200", "ping-interval-ms", "300"),
            SettingsTest::givesUpSoon),
        losing(
            RelayTuning.BACKOFF,
            Map.of("reconnect-backoff-ms", "4000", "reconnect-cap-ms", "4000"),
            SettingsTest::dialsWithLongPauses),
        losing(
            RelayTuning.BACKOFF_CAP,
            Map.of("reconnect-backoff-ms", "100", "reconnect-cap-ms", "100"),
            SettingsTest::dialsOften),
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
      stage.set(BEFORE);
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
    // At the pace before it would take 90 s.
    awaitPings(stage, 10);
  }

  private static void missesLateAnswers(Stage stage) {
    awaitPings(stage, 1);
    stage.between().delay(Duration.ofMillis(300));
    // The usual 5 s, even the 2 s of the interval, would be enough for them.
    Await.until(
        "late answers to count as missed",
        () ->
            stage.pair().parent.links().stream()
                .anyMatch(link -> link.lastError().contains("no answer to pings")));
  }

  /** The child sees round trips of so many pings; no two take the same number of nanoseconds. */
  private static void awaitPings(Stage stage, int count) {
    Set<Duration> measured = new HashSet<>();
    Await.until(
        "round trips measured " + count + " times",
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
    awaitPings(stage, 3);
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
        () ->
            stage.pair().parent.links().stream()
                .anyMatch(link -> link.lastError().equals("no answer within 400 ms")));
  }

  private static void dialsWithLongPauses(Stage stage) throws Exception {
    try (Rude child = new Rude(stage)) {
      // Usually none is longer than 1.5 s; of these every other one is.
      Await.until(
          "a pause of more than 2 s between two dials",
          () -> child.longestPause().compareTo(Duration.ofSeconds(2)) > 0);
    }
  }

  private static void dialsOften(Stage stage) throws Exception {
    try (Rude child = new Rude(stage)) {
      // Usually that many take 75 s.
      Await.until("many dials", () -> child.dials.size() >= 100);
    }
  }

  /** A child that hangs up at once, and knows when it was dialled. */
  private static final class Rude implements AutoCloseable {
    private final List<Long> dials = new CopyOnWriteArrayList<>();
    private final ServerSocket listener;

    Rude(Stage stage) throws IOException {
      listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
      Thread.startVirtualThread(() -> {
        while (true) {
          try (Socket _ = listener.accept()) {
            dials.add(System.nanoTime());
          } catch (IOException e) {
            return;
          }
        }
      });
      stage
          .pair()
          .parent
          .children(List.of(Pair.listed("child-2", listener.getLocalPort(), new byte[0])));
    }

    Duration longestPause() {
      long longest = 0;
      for (int i = 1; i < dials.size(); i++) {
        longest = Math.max(longest, dials.get(i) - dials.get(i - 1));
      }
      return Duration.ofNanos(longest);
    }

    @Override
    public void close() throws IOException {
      listener.close();
    }
  }

  private static void waitsShortly(Stage stage) throws IOException {
    Await.until(
        "draining",
        () ->
            stage.pair().child.links().stream()
                .allMatch(link -> link.state() == LinkView.State.DRAINING));
    try (Socket waiting = Pair.connect(stage.pair().sessionPort())) {
      // Half of what it would have waited before; then the read ends with another exception.
      waiting.setSoTimeout(30_000);
      assertThatThrownBy(() -> waiting.getInputStream().read()).isInstanceOf(SocketException.class);
    }
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

  private static void holdsOneMebibyte(Stage stage) {
    // A window grows while the host keeps up, which on a busy machine it may not at once.
    Await.until("a window grew, within the limit", () -> mostHeld(stage, 1 << 20) > 0);
    stage.set(Map.of("tunnel-memory-mib", "64"));
    Await.until("with room for more", () -> mostHeld(stage, 64 << 20) > 1 << 20);
  }

  /** Reads the whole flood; the most that the child's tunnels held meanwhile. */
  private static long mostHeld(Stage stage, long limit) {
    long most = 0;
    long read = 0;
    try (Socket bulk = Pair.connect(stage.pair().publicPort())) {
      byte[] buffer = new byte[1 << 18];
      for (int n = bulk.getInputStream().read(buffer);
          n >= 0;
          n = bulk.getInputStream().read(buffer)) {
        read += n;
        most = Math.max(most, stage.pair().childMemory());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    assertThat(read).isEqualTo(64L << 20);
    assertThat(most).isLessThanOrEqualTo(limit);
    return most;
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
