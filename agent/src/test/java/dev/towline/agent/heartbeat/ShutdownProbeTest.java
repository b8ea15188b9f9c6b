package dev.towline.agent.heartbeat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

@Requirement("H5")
final class ShutdownProbeTest {
  @Test
  void systemd_stopping_isAShutdown() {
    assertThat(probe(Map.of("systemctl", "stopping\n")).isShuttingDown()).isTrue();
    assertThat(probe(Map.of("systemctl", "running\n")).isShuttingDown()).isFalse();
    assertThat(probe(Map.of("systemctl", "degraded\n")).isShuttingDown()).isFalse();
    // The runlevel is not asked where systemd answers.
    assertThat(probe(Map.of("systemctl", "running\n", "runlevel", "N 0\n")).isShuttingDown())
        .isFalse();
  }

  @Test
  void withoutSystemd_theRunlevelTells() {
    assertThat(probe(Map.of("runlevel", "2 0\n")).isShuttingDown()).isTrue();
    assertThat(probe(Map.of("systemctl", "offline\n", "runlevel", "N 6\n")).isShuttingDown())
        .isTrue();
    assertThat(probe(Map.of("runlevel", "N 2\n")).isShuttingDown()).isFalse();
    assertThat(probe(Map.of()).isShuttingDown()).isFalse();
  }

  private static ShutdownProbe probe(Map<String, String> outputs) {
    return new ShutdownProbe(line -> Optional.ofNullable(outputs.get(line.getFirst())));
  }
}
