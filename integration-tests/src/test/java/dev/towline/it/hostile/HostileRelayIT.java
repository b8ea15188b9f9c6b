package dev.towline.it.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.fleet.Program;
import dev.towline.it.hostile.HostileRelay.Tamper;
import dev.towline.it.hostile.HostileRelay.Tunnel;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.TargetState;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** A relay works on the ciphertext between agents and the manager that they dial. */
@Requirement({"R1", "T1"})
@InHostileLab
@TestInstance(Lifecycle.PER_CLASS)
final class HostileRelayIT {
  private static final String TAMPERED = "session.tampered";

  private HostileLab lab;
  private HostileRelay relay;
  private HostileRelay betasRelay;
  private Victim alpha;
  private Victim beta;

  @BeforeAll
  void start(HostileLab shared) {
    lab = shared;
    relay = relay(lab.addresses().host(5));
    betasRelay = relay(lab.addresses().host(6));
    alpha = victim("relayed-alpha", lab.addresses().host(5));
    beta = victim("relayed-beta", lab.addresses().host(6));
  }

  private HostileRelay relay(String host) {
    return new HostileRelay(
        new InetSocketAddress(host, 7443), new InetSocketAddress(lab.fleet().managerHost(), 7443));
  }

  private Victim victim(String name, String relayHost) {
    String enrollment =
        lab.enrollment("").replaceAll("\"[^\"]*:7443\"", "\"" + relayHost + ":7443\"");
    Program program = lab.startAgent(name, enrollment);
    return lab.online(program, name);
  }

  @AfterAll
  void end() {
    relay.close();
    betasRelay.close();
  }

  @BeforeEach
  void inSession() {
    lab.awaitState(alpha.name(), HostState.HOST_STATE_ONLINE);
    lab.awaitState(beta.name(), HostState.HOST_STATE_ONLINE);
    Await.until("alpha's tunnel", HostileLab.BOUND, () -> relay.tunnels().size() == 1);
    Await.until("beta's tunnel", HostileLab.BOUND, () -> betasRelay.tunnels().size() == 1);
  }

  @AfterEach
  void behave() {
    relay.tamper(Tamper.NONE);
    betasRelay.tamper(Tamper.NONE);
  }

  @Test
  void alter_bytesOfTheManager_isNoticedByTheAgent() {
    attacked(onceDown((tunnel, bytes) -> tunnel.toAgent(flip(bytes))));
  }

  @Test
  void alter_bytesOfTheAgent_isNoticed() {
    attacked(onceUp((tunnel, bytes) -> tunnel.toManager(flip(bytes))));
  }

  @Test
  void inject_bytesOfTheManager_isNoticedByTheAgent() {
    attacked(
        onceDown((tunnel, bytes) -> {
          tunnel.toAgent(record());
          tunnel.toAgent(bytes);
        }));
  }

  @Test
  void inject_bytesOfTheAgent_isNoticed() {
    attacked(
        onceUp((tunnel, bytes) -> {
          tunnel.toManager(record());
          tunnel.toManager(bytes);
        }));
  }

  @Test
  void replay_bytesOfTheManager_isNoticedByTheAgent() {
    attacked(
        onceDown((tunnel, bytes) -> {
          tunnel.toAgent(bytes);
          tunnel.toAgent(bytes);
        }));
  }

  /** A cut is a lost connection and looks like one; nothing of the cut record counts. */
  @Test
  void truncate_bytesOfTheManager_isALostConnection() {
    long event = lab.lastEvent();
    runThrough(
        onceDown((tunnel, bytes) -> {
          tunnel.toAgent(Arrays.copyOf(bytes, bytes.length / 2));
          tunnel.end();
        }));
    assertThat(lab.eventsAfter(event)).isEmpty();
  }

  @Test
  void swap_connectionsOfTwoAgents_isNoticedByBoth() {
    List<String> alphaLines = new ArrayList<>(alpha.lines());
    List<String> betaLines = new ArrayList<>(beta.lines());
    long event = lab.lastEvent();
    Tunnel alphas = relay.tunnels().getFirst();
    Tunnel betas = betasRelay.tunnels().getFirst();
    Crossing crossing = new Crossing(alphas, betas);
    relay.tamper(crossing);
    betasRelay.tamper(crossing);
    String alphaLine = lab.newLine();
    String betaLine = lab.newLine();
    String first = lab.append(alpha, alphaLine);
    String second = lab.append(beta, betaLine);
    lab.awaitEvent(event, TAMPERED, alpha.id(), alpha.identity().uri());
    lab.awaitEvent(event, TAMPERED, beta.id(), beta.identity().uri());
    assertSucceeded(first);
    assertSucceeded(second);
    alphaLines.add(alphaLine);
    betaLines.add(betaLine);
    assertThat(alpha.lines()).containsExactlyElementsOf(alphaLines);
    assertThat(beta.lines()).containsExactlyElementsOf(betaLines);
    lab.assertOnlyEvent(event, TAMPERED);
  }

  /** The next bytes of the manager for each of two agents come out at the other one. */
  private static final class Crossing implements Tamper {
    private final Tunnel one;
    private final Tunnel other;
    private byte[] forOne = {};
    private byte[] forOther = {};
    private boolean done;

    Crossing(Tunnel one, Tunnel other) {
      this.one = one;
      this.other = other;
    }

    @Override
    public synchronized void down(Tunnel tunnel, byte[] bytes) throws IOException {
      if (done || (tunnel != one && tunnel != other)) {
        tunnel.toAgent(bytes);
        return;
      }
      if (tunnel == one) {
        forOne = bytes;
      } else {
        forOther = bytes;
      }
      if (forOne.length > 0 && forOther.length > 0) {
        done = true;
        one.toAgent(forOther);
        other.toAgent(forOne);
      }
    }
  }

  @Test
  void replay_recordedConnectionOfAnAgent_opensNoSession() throws Exception {
    String line = lab.newLine();
    assertSucceeded(lab.append(alpha, line));
    Host alphaBefore = lab.host(alpha.name()).orElseThrow();
    long event = lab.lastEvent();
    try (Socket again = relay.connect()) {
      for (byte[] bytes : relay.tunnels().getFirst().fromAgent()) {
        again.getOutputStream().write(bytes);
      }
      again.setSoTimeout(20_000);
      drain(again);
    } catch (IOException e) {
      // Reset by the manager, which is as good as an end.
      assertThat(e.getMessage()).doesNotContain("timed out");
    }
    lab.awaitEvent(event, TAMPERED, "");
    assertThat(lab.host(alpha.name()).orElseThrow().getGeneration())
        .isEqualTo(alphaBefore.getGeneration());
    assertThat(alpha.lines()).containsOnlyOnce(line);
    lab.assertOnlyEvent(event, TAMPERED);
  }

  private static void drain(Socket socket) throws IOException {
    byte[] buffer = new byte[4096];
    while (socket.getInputStream().read(buffer) >= 0) {
      // What it answers means nothing without the agent's key.
    }
  }

  private void attacked(Tamper tamper) {
    long event = lab.lastEvent();
    runThrough(tamper);
    lab.awaitEvent(event, TAMPERED, alpha.id(), alpha.identity().uri());
    lab.assertOnlyEvent(event, TAMPERED);
  }

  /** An action of alpha's, in whose course the tamper strikes: it runs exactly once. */
  private void runThrough(Tamper tamper) {
    List<String> expected = new ArrayList<>(alpha.lines());
    Host before = lab.host(alpha.name()).orElseThrow();
    relay.tamper(tamper);
    String line = lab.newLine();
    assertSucceeded(lab.append(alpha, line));
    expected.add(line);
    assertThat(alpha.lines()).containsExactlyElementsOf(expected);
    assertThat(lab.awaitState(alpha.name(), HostState.HOST_STATE_ONLINE).getGeneration())
        .as("the tampered session is over")
        .isGreaterThan(before.getGeneration());
  }

  private void assertSucceeded(String action) {
    ActionTarget target = lab.awaitTarget(action, TargetState.TARGET_STATE_ENDED);
    assertThat(target.getOutcome()).as(target.toString()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(target.getOutput().toStringUtf8()).isEqualTo("done\n");
  }

  private interface Deed {
    void to(Tunnel tunnel, byte[] bytes) throws IOException;
  }

  /** Does it to the next bytes. */
  private static Tamper onceDown(Deed deed) {
    AtomicBoolean done = new AtomicBoolean();
    return new Tamper() {
      @Override
      public void down(Tunnel tunnel, byte[] bytes) throws IOException {
        if (done.compareAndSet(false, true)) {
          deed.to(tunnel, bytes);
        } else {
          tunnel.toAgent(bytes);
        }
      }
    };
  }

  /** The same with bytes of the agent. */
  private static Tamper onceUp(Deed deed) {
    AtomicBoolean done = new AtomicBoolean();
    return new Tamper() {
      @Override
      public void up(Tunnel tunnel, byte[] bytes) throws IOException {
        if (done.compareAndSet(false, true)) {
          deed.to(tunnel, bytes);
        } else {
          tunnel.toManager(bytes);
        }
      }
    };
  }

  private static byte[] flip(byte[] bytes) {
    byte[] altered = bytes.clone();
    altered[altered.length - 1] ^= 1;
    return altered;
  }

  private static byte[] record() {
    byte[] record = new byte[45];
    record[0] = 23;
    record[1] = 3;
    record[2] = 3;
    record[4] = 40;
    return record;
  }
}
