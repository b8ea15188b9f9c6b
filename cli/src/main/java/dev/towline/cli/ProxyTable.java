package dev.towline.cli;

import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.Proxy;
import dev.towline.proto.v1.ProxyLoad;
import java.time.Instant;
import java.util.List;
import java.util.Locale;

/** Proxies and their clients as tables (P10, P11). */
final class ProxyTable {
  private ProxyTable() {}

  static void print(List<Proxy> proxies, CliContext context) {
    Instant now = context.clock().instant();
    var table =
        new Table(
            "NAME",
            "CLUSTER",
            "STATE",
            "AGENT",
            "VERSION",
            "CLIENTS",
            "LOAD",
            "QUEUED",
            "PATH",
            "NEWEST",
            "LAST SEEN",
            "ID");
    for (Proxy proxy : proxies) {
      boolean online = proxy.getState() == HostState.HOST_STATE_ONLINE;
      table.row(
          proxy.getName(),
          proxy.getCluster(),
          proxy.getDraining() ? "draining" : Text.label(proxy.getState(), "HOST_STATE_"),
          proxy.hasAgent() ? HostsCommand.stateOf(proxy.getAgent()) : "none",
          proxy.getVersion(),
          Integer.toString(proxy.getClients()),
          online ? load(proxy.getLoad()) : "",
          online ? queued(proxy.getLoad()) : "",
          Paths.describe(proxy.getPath()),
          newest(proxy),
          Times.ago(proxy.getLastSeenMs(), now),
          proxy.getId());
    }
    table.print(context.out());
  }

  static void clients(List<Host> hosts, CliContext context) {
    var table =
        new Table("NAME", "ASSET", "GROUP", "SYSTEM", "PROVIDER", "REGION", "TAGS", "STATE", "ID");
    for (Host host : hosts) {
      table.row(
          host.getName(),
          host.getFacts().getAssetKind().toLowerCase(Locale.ROOT),
          host.getGroup(),
          host.getFacts().getOsVersion().isEmpty()
              ? host.getFacts().getOs()
              : host.getFacts().getOsVersion(),
          host.getServiceProvider(),
          host.getRegion(),
          String.join(" ", host.getTagsList()),
          HostsCommand.stateOf(host),
          host.getId());
    }
    table.print(context.out());
  }

  private static String newest(Proxy proxy) {
    return proxy.getUpgradeProblem().isEmpty()
        ? proxy.getNewestVersion()
        : (proxy.getNewestVersion() + " (" + proxy.getUpgradeProblem() + ")").strip();
  }

  private static String load(ProxyLoad load) {
    return load.getReportedMs() == 0
        ? ""
        : "%.1f %%, %d MiB".formatted(load.getCpuPermille() / 10.0, load.getResidentKib() / 1024);
  }

  private static String queued(ProxyLoad load) {
    if (load.getReportedMs() == 0) {
      return "";
    }
    String bytes = (load.getQueuedUp() + load.getQueuedDown() + 1023) / 1024 + " KiB";
    return load.getWaiting() == 0 ? bytes : bytes + ", " + load.getWaiting() + " waiting";
  }
}
