package dev.towline.it.sending;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.Namespaces;
import dev.towline.proto.v1.GetSendingPolicyRequest;
import dev.towline.proto.v1.ProxySending;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * P7 as it is stated: three proxies share one cap, all of them saturated, windows of 60 s, counted
 * on each proxy's own interface to the manager. Needs root.
 */
@EnabledIfSystemProperty(
    named = "towline.long",
    matches = "true",
    disabledReason = "three windows of 60 s")
@Requirement("P7")
class SharedCapIT {
  private static final long BITS = 4_000_000;
  private static final int WINDOWS = 3;
  private static final int WINDOW_SECONDS = 60;
  private static final int PROXIES = 3;

  @TempDir private Path directory;

  @Test
  void bandwidth_threeProxiesOneCapSaturated_isKeptWithinFivePercentInEveryMinute()
      throws Exception {
    Random random = new Random();
    String prefix = "10.%d.%d.".formatted(random.nextInt(100, 250), random.nextInt(1, 250));
    try (Namespaces network = new Namespaces("tl" + random.nextInt(10_000), prefix)) {
      List<String> spaces = new ArrayList<>();
      for (int i = 1; i <= PROXIES; i++) {
        String space = network.add(10 + i);
        network.count(space, 7443);
        spaces.add(space);
      }
      try (SendingFleet fleet =
          new SendingFleet(
              directory,
              new LoopbackAddresses(prefix),
              number -> Optional.of(spaces.get(number - 1)))) {
        measure(fleet, network, spaces);
      }
    }
  }

  private static void measure(SendingFleet fleet, Namespaces network, List<String> spaces)
      throws Exception {
    fleet.fleet().towline("proxies", "policy", SendingFleet.CLUSTER, "--bandwidth", BITS + "bit/s");
    String megabyte = ("x".repeat(998) + "\n").repeat(1000);
    for (int i = 1; i <= PROXIES; i++) {
      fleet.startProxy(i);
      fleet.startAgent("busy-" + i, i);
      for (int n = 0; n < 60; n++) {
        fleet.append("busy-" + i, megabyte);
      }
    }
    Await.until("each to have its part", SendingFleet.BOUND, () -> isSettled(fleet));
    for (int window = 1; window <= WINDOWS; window++) {
      long before = counted(network, spaces);
      long from = System.nanoTime();
      // A window of time is what is measured.
      var _ = new CountDownLatch(1).await(WINDOW_SECONDS, TimeUnit.SECONDS);
      long bytes = counted(network, spaces) - before;
      double share = 8e9 * bytes / (System.nanoTime() - from) / BITS;
      System.out.printf("sending: window %d: %.2f %% of the cap%n", window, 100 * share);
      assertThat(share).isBetween(0.95, 1.05);
      assertThat(proxies(fleet))
          .allSatisfy(proxy -> assertThat(proxy.getWaitingBytes()).isGreaterThan(1 << 20));
    }
    List<Duration> took = Directives.roundTrips(fleet.fleet().admin(), "group=web", 200);
    System.out.printf(
        "sending: directives to all meanwhile: p50 %d ms, p99 %d ms%n",
        took.get(99).toMillis(), took.get(197).toMillis());
  }

  private static long counted(Namespaces network, List<String> spaces) throws IOException {
    long sum = 0;
    for (String space : spaces) {
      sum += network.counted(space);
    }
    return sum;
  }

  private static boolean isSettled(SendingFleet fleet) {
    List<ProxySending> proxies = proxies(fleet);
    long sum = proxies.stream().mapToLong(ProxySending::getLimit).sum();
    return proxies.size() == PROXIES && sum > 0.98 * BITS && sum <= BITS;
  }

  private static List<ProxySending> proxies(SendingFleet fleet) {
    return fleet
        .fleet()
        .admin()
        .sendingPolicies()
        .getSendingPolicy(
            GetSendingPolicyRequest.newBuilder().setCluster(SendingFleet.CLUSTER).build())
        .getProxiesList();
  }
}
