package dev.towline.agent.direction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.runtime.testing.Await;
import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ThreadFactory;
import org.junit.jupiter.api.Test;

@Requirement({"D1", "G2"})
final class QuietDoorTest {
  private final List<String> happened = new CopyOnWriteArrayList<>();
  private final ThreadFactory threads = Thread.ofPlatform().daemon().factory();

  @Test
  void knock_opensTheRealDoorAtTheSamePort() throws Exception {
    QuietDoor door = QuietDoor.open(0, this::real, threads);
    assertThat(happened).isEmpty();
    try (var socket = new Socket(InetAddress.getLoopbackAddress(), door.port())) {
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
    }
    Await.until("the real door", () -> happened.contains("opened " + door.port()));
    door.close();
    assertThat(happened).endsWith("closed");
  }

  @Test
  void closed_withoutAKnock_opensNothingAndFreesThePort() throws Exception {
    int port = FreePorts.next();
    for (int i = 0; i < 100; i++) {
      QuietDoor.open(port, this::real, threads).close();
    }
    try (var other = new ServerSocket(port)) {
      assertThat(other.isBound()).isTrue();
    }
    assertThat(happened).isEmpty();
  }

  @Test
  void portTaken_saysSo() throws Exception {
    try (var other = new ServerSocket(0)) {
      assertThatThrownBy(() -> QuietDoor.open(other.getLocalPort(), this::real, threads))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("in use");
    }
  }

  private Door real(int port) {
    happened.add("opened " + port);
    return new Door() {
      @Override
      public int port() {
        return port;
      }

      @Override
      public void close() {
        happened.add("closed");
      }
    };
  }
}
