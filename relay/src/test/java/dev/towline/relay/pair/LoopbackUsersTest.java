package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.relay.child.ChildSettings;
import dev.towline.relay.link.LinkPace;
import dev.towline.testing.Requirement;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Research item A2.9: processes of several real users of this host at the loopback port. Needs root
 * and setpriv (util-linux), to be other users.
 */
@Timeout(300)
final class LoopbackUsersTest {
  private static final int ROOT = 0;
  private static final int DAEMON = 1;
  private static final int NOBODY = 65_534;

  @Test
  @Requirement("R3")
  void severalUsers_eachHasALimitOfItsOwn() throws Exception {
    assertThat(Files.getAttribute(Path.of("/proc/self"), "unix:uid"))
        .as("user that runs this test: only root can be several users")
        .isEqualTo(ROOT);
    List<Process> open = new ArrayList<>();
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      pair.child.settings(Pair.childSettings(pair.childPort, twoForEachUser()));

      for (int user : List.of(ROOT, DAEMON, NOBODY)) {
        assertThat(enter(pair, user, open)).as("first of user %d", user).isEqualTo("in");
        assertThat(enter(pair, user, open)).as("second of user %d", user).isEqualTo("in");
        assertThat(enter(pair, user, open)).as("third of user %d", user).isEqualTo("out");
      }

      // One of the daemon's leaves: there is room for the daemon, and for nobody else.
      open.get(3).destroyForcibly().waitFor();
      Await.until("it has left", () -> Traffic.tunnels(pair) == 2 * 5);
      assertThat(enter(pair, NOBODY, open)).isEqualTo("out");
      assertThat(enter(pair, DAEMON, open)).isEqualTo("in");
      assertThat(pair.child.refusals()).containsEntry("NOT_ADMITTED", 4L);
    } finally {
      open.forEach(Process::destroyForcibly);
    }
  }

  private static ChildSettings.Tuning twoForEachUser() {
    return new ChildSettings.Tuning(
        16, Duration.ofSeconds(3), 1000, 1000, 2, LinkPace.USUAL_ANSWER, LinkPace.USUAL_MISSES);
  }

  /** A process of this user connects, and says whether it was served; then it stays connected. */
  private static String enter(Pair pair, int user, List<Process> open) throws IOException {
    Process process =
        new ProcessBuilder(
                "setpriv",
                "--reuid=" + user,
                "--regid=" + user,
                "--clear-groups",
                "bash",
                "-c",
                "exec 3<>/dev/tcp/127.0.0.1/%d && { echo x >&3; read -r -t 60 -u 3 && echo in || echo out; } 2>/dev/null; read -r"
                    .formatted(pair.loopbackPort().getPort()))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    open.add(process);
    return new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))
        .readLine();
  }
}
