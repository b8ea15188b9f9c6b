package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.login.AdminClient;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.GetProxyUpgradeRequest;
import dev.towline.proto.v1.ProxyUpgrade;
import dev.towline.proto.v1.ProxyUpgradeRoll;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Follows the upgrade of a cluster's proxies and says each step. */
final class ProxyUpgradeWatch {
  private static final long LOOK_MILLIS = 500;

  private final CliContext context;
  private final Map<String, String> said = new HashMap<>();

  ProxyUpgradeWatch(CliContext context) {
    this.context = context;
  }

  int follow(AdminClient client, ProxyUpgradeRoll begun) {
    ProxyUpgradeRoll roll = begun;
    say(roll);
    // Nobody counts it down; the end is looked for.
    var never = new CountDownLatch(1);
    try {
      while (!roll.getEnded()) {
        var _ = never.await(LOOK_MILLIS, TimeUnit.MILLISECONDS);
        roll =
            client
                .proxyClusters()
                .getProxyUpgrade(
                    GetProxyUpgradeRequest.newBuilder().setCluster(begun.getCluster()).build());
        say(roll);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return ExitCodes.FAILED;
    }
    return roll.getProxiesList().stream()
            .allMatch(upgrade -> upgrade.getState() == ProxyUpgrade.State.SUCCEEDED)
        ? ExitCodes.OK
        : ExitCodes.FAILED;
  }

  private void say(ProxyUpgradeRoll roll) {
    for (ProxyUpgrade upgrade : roll.getProxiesList()) {
      String line =
          "Proxy "
              + upgrade.getName()
              + " "
              + upgrade.getFromVersion()
              + " > "
              + upgrade.getToVersion()
              + ": "
              + state(upgrade)
              + (upgrade.getDetail().isEmpty() ? "" : ": " + upgrade.getDetail());
      if (!line.equals(said.put(upgrade.getProxy(), line))) {
        context.say(Text.printable(line));
      }
    }
  }

  void print(ProxyUpgradeRoll roll) {
    if (roll.getProxiesCount() == 0) {
      context.say("Nothing was upgraded yet. Begin: towline proxies upgrade CLUSTER");
      return;
    }
    Instant now = context.clock().instant();
    var table = new Table("PROXY", "FROM", "TO", "STATE", "SINCE", "DETAIL");
    for (ProxyUpgrade upgrade : roll.getProxiesList()) {
      table.row(
          upgrade.getName(),
          upgrade.getFromVersion(),
          upgrade.getToVersion(),
          state(upgrade),
          Times.ago(upgrade.getChangedMs(), now),
          Text.printable(upgrade.getDetail()));
    }
    table.print(context.out());
  }

  private static String state(ProxyUpgrade upgrade) {
    return Text.label(upgrade.getState(), "");
  }
}
