package dev.towline.manager.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.TunnelReport;
import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

@Requirement("I1")
final class TunnelsTest {
  private static final Duration LONG = Duration.ofMinutes(1);

  private final Tunnels tunnels = new Tunnels();

  @Test
  void await_reportThatComesLater_isFound() throws Exception {
    var source = new CompletableFuture<Optional<String>>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            source.complete(
                tunnels.await("10.0.0.1:4711", LONG).map(TunnelReport::getSourceAddress));
          } catch (InterruptedException e) {
            source.completeExceptionally(e);
          }
        });

    tunnels.report("parent", report(4712, "192.0.2.7"));
    tunnels.report("parent", report(4711, "192.0.2.9"));

    assertThat(source.get(LONG.toSeconds(), TimeUnit.SECONDS)).contains("192.0.2.9");
  }

  @Test
  void await_reportThatWasThereBefore_isFoundAtOnce_andOneThatNeverComes_isNot() throws Exception {
    tunnels.report("parent", report(4711, "192.0.2.9"));

    assertThat(tunnels.await("10.0.0.1:4711", LONG)).isPresent();
    assertThat(tunnels.await("10.0.0.1:4713", Duration.ofMillis(1))).isEmpty();
  }

  private static TunnelReport report(int port, String source) {
    return TunnelReport.newBuilder()
        .setLocalAddress("10.0.0.1")
        .setLocalPort(port)
        .setSourceAddress(source)
        .build();
  }
}
