package dev.towline.relay.child;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.relay.link.RelayIo;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Research item A2.9: any process of the host could use the loopback port; here it is limited. */
class ListenerGateTest {
  private static final InetSocketAddress SERVER = new InetSocketAddress("127.0.0.1", 52312);
  private static final String HEADING =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout"
          + " inode\n";

  @TempDir Path proc;

  private final RelayIo io = new RelayIo("gate");
  private volatile ChildSettings.Tuning tuning = tuning(100, 3, 2);

  @AfterEach
  void close() {
    io.close();
  }

  private static ChildSettings.Tuning tuning(int all, int source, int user) {
    return new ChildSettings.Tuning(
        16, Duration.ofSeconds(1), all, source, user, Duration.ofSeconds(5), 2);
  }

  private ListenerGate gate(ListenerGate.Kind kind) {
    return new ListenerGate(
        kind,
        "child-1",
        new ListenerGate.Parts(
            () -> tuning,
            source ->
                source.getPort() == 9999
                    ? Optional.of(new Origin("198.51.100.7:1", List.of("below", "here")))
                    : Optional.empty(),
            new SocketOwners(proc),
            io.loop(),
            Thread::startVirtualThread));
  }

  private record Entered(ListenerGate.Visit visit, String outcome) {}

  private Entered enter(ListenerGate gate, String host, int port) throws Exception {
    CompletableFuture<String> outcome = new CompletableFuture<>();
    CompletableFuture<ListenerGate.Visit> visit = new CompletableFuture<>();
    io.loop()
        .execute(() ->
            visit.complete(
                gate.enter(
                    new InetSocketAddress(host, port),
                    SERVER,
                    origin -> outcome.complete("in " + origin.source() + " " + origin.hops()),
                    why -> outcome.complete("no: " + why))));
    return new Entered(visit.get(60, TimeUnit.SECONDS), outcome.get(60, TimeUnit.SECONDS));
  }

  private void leave(Entered entered) throws Exception {
    io.loop().submit(entered.visit()::left).get(60, TimeUnit.SECONDS);
  }

  /** As the kernel writes it: 127.0.0.1 is 0100007F. */
  private void owner(int port, int uid) throws IOException {
    Path table = proc.resolve("net/tcp");
    Files.createDirectories(table.getParent());
    String before = Files.exists(table) ? Files.readString(table) : HEADING;
    Files.writeString(
        table,
        before
            + "   1: 0100007F:%04X 0100007F:%04X 01 00000000:00000000 00:00000000 00000000 %5d  0 %d\n"
                .formatted(port, SERVER.getPort(), uid, 40_000 + port));
  }

  @Test
  @Requirement("R3")
  void loopback_userAtTheLimit_isRefused_othersAreNot() throws Exception {
    ListenerGate gate = gate(ListenerGate.Kind.LOOPBACK);
    for (int port = 1; port <= 3; port++) {
      owner(port, 1000);
      owner(100 + port, 1001);
    }
    Entered first = enter(gate, "127.0.0.1", 1);
    assertThat(first.outcome()).isEqualTo("in 127.0.0.1:1 [child-1]");
    assertThat(enter(gate, "127.0.0.1", 2).outcome()).startsWith("in ");

    Entered third = enter(gate, "127.0.0.1", 3);
    assertThat(third.outcome())
        .isEqualTo("no: 2 connections of user 1000 are open, as many as one user may have");
    assertThat(enter(gate, "127.0.0.1", 101).outcome()).startsWith("in ");

    leave(third);
    leave(first);
    assertThat(enter(gate, "127.0.0.1", 3).outcome()).startsWith("in ");
  }

  @Test
  @Requirement("R3")
  void loopback_ownerThatIsNotKnown_isRefused() throws Exception {
    assertThat(enter(gate(ListenerGate.Kind.LOOPBACK), "127.0.0.1", 4).outcome())
        .isEqualTo("no: its owner is not known");
  }

  @Test
  @Requirement("R3")
  void downstream_addressAtTheLimit_isRefused_untilOneLeaves() throws Exception {
    ListenerGate gate = gate(ListenerGate.Kind.DOWNSTREAM);
    Entered first = enter(gate, "192.0.2.1", 1);
    enter(gate, "192.0.2.1", 2);
    enter(gate, "192.0.2.1", 3);
    Entered fourth = enter(gate, "192.0.2.1", 4);
    assertThat(fourth.outcome()).startsWith("no: 3 connections from 192.0.2.1 are open");
    assertThat(enter(gate, "192.0.2.2", 4).outcome()).startsWith("in ");

    leave(fourth);
    leave(first);
    assertThat(enter(gate, "192.0.2.1", 5).outcome()).startsWith("in ");
  }

  @Test
  @Requirement("R7")
  void limits_changedMeanwhile_holdForTheNext() throws Exception {
    ListenerGate gate = gate(ListenerGate.Kind.DOWNSTREAM);
    enter(gate, "192.0.2.1", 1);
    tuning = tuning(1, 100, 100);
    assertThat(enter(gate, "192.0.2.9", 1).outcome())
        .startsWith("no: 1 connections are open, as many as this listener takes");
  }

  @Test
  @Requirement("R1")
  void tunnelOfThisProcess_keepsItsSourceAndHops() throws Exception {
    assertThat(enter(gate(ListenerGate.Kind.LOOPBACK), "127.0.0.1", 9999).outcome())
        .isEqualTo("in 198.51.100.7:1 [below, here]");
  }

  /** Before registration not even another process of the same user may enter. */
  @Test
  @Requirement("R6")
  void notRegistered_onlyThisProcessMayEnter() throws Exception {
    ListenerGate gate =
        new ListenerGate(
            ListenerGate.Kind.OWN_PROCESS,
            "",
            new ListenerGate.Parts(
                () -> tuning,
                _ -> Optional.empty(),
                new SocketOwners(Path.of("/proc")),
                io.loop(),
                Thread::startVirtualThread));
    try (ServerSocket listener = new ServerSocket(0, 5, InetAddress.getByName("127.0.0.1"))) {
      try (Socket own = new Socket("127.0.0.1", listener.getLocalPort());
          Socket _ = listener.accept()) {
        assertThat(judged(gate, own.getLocalPort(), listener)).startsWith("in 127.0.0.1:");
      }
      Process other =
          new ProcessBuilder(
                  "bash",
                  "-c",
                  "exec 3<>/dev/tcp/127.0.0.1/" + listener.getLocalPort() + "; read -u 3 line")
              .redirectErrorStream(true)
              .start();
      try (Socket accepted = listener.accept()) {
        assertThat(judged(gate, accepted.getPort(), listener))
            .endsWith(": not registered yet, only the relay may enter");
      } finally {
        other.destroyForcibly();
      }
    }
  }

  private String judged(ListenerGate gate, int port, ServerSocket listener) throws Exception {
    CompletableFuture<String> outcome = new CompletableFuture<>();
    io.loop()
        .execute(() -> {
          var _ =
              gate.enter(
                  new InetSocketAddress("127.0.0.1", port),
                  new InetSocketAddress("127.0.0.1", listener.getLocalPort()),
                  origin -> outcome.complete("in " + origin.source()),
                  outcome::complete);
        });
    return outcome.get(60, TimeUnit.SECONDS);
  }
}
