package dev.towline.manager.sending;

import dev.towline.manager.directives.Directives;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.NodeQuery;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.nodes.Selector.Condition;
import dev.towline.manager.nodes.Selector.Field;
import dev.towline.manager.proxies.ProxyClusters;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.ConfigureSending;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.ProxySending;
import dev.towline.proto.v1.SendingMode;
import dev.towline.proto.v1.SendingPolicyView;
import dev.towline.proto.v1.SetSendingPolicyRequest;
import dev.towline.proto.v1.UplinkReport;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** The sending policies of clusters. Safe for use by several threads. */
public final class SendingPolicies {
  public static final ErrorCode POLICY_INVALID = ErrorCode.user("SENDING_POLICY_INVALID");

  private static final Duration LIFETIME = Duration.ofDays(30);
  private static final long SMALLEST_SIZE = 200_000_000L;
  private static final long LARGEST_SIZE = 100_000_000_000_000L;
  private static final long SMALLEST_BANDWIDTH = 8_000;
  private static final long LONGEST_FREQUENCY = Duration.ofDays(1).toMillis();

  private final Store store;
  private final Directives directives;
  private final SendingReports reports;

  public SendingPolicies(Store store, Directives directives, SendingReports reports) {
    this.store = store;
    this.directives = directives;
    this.reports = reports;
  }

  public SendingReports reports() {
    return reports;
  }

  /** Changes what the request holds, and tells every proxy of the cluster. */
  public SendingPolicyView set(SetSendingPolicyRequest request) {
    List<QueuedDirective> told =
        store.commit(tx -> {
          cluster(tx, request.getCluster());
          ClusterSending changed = changed(policy(tx, request.getCluster()), request);
          tx.sending().put(request.getCluster(), changed);
          return members(tx, request.getCluster()).stream()
              .map(node -> order(tx, node.id(), changed))
              .toList();
        });
    directives.committed(told);
    return view(request.getCluster());
  }

  private static ClusterSending changed(ClusterSending old, SetSendingPolicyRequest request) {
    List<String> problems = new ArrayList<>();
    ConfigureSending.Builder policy = old.policy().toBuilder();
    if (request.hasMode()) {
      if (request.getMode() != SendingMode.RETURN && request.getMode() != SendingMode.CACHE) {
        problems.add("mode: " + request.getMode() + " (expected: RETURN or CACHE)");
      }
      policy.setMode(request.getMode());
    }
    if (request.hasBandwidth()) {
      policy.setClusterBandwidth(bandwidth("bandwidth", request.getBandwidth(), problems));
    }
    if (request.hasProxyBandwidth()) {
      policy.setProxyBandwidth(bandwidth("proxy bandwidth", request.getProxyBandwidth(), problems));
    }
    if (request.hasFrequencyMs()) {
      long frequency = request.getFrequencyMs();
      if (frequency < 0 || frequency > LONGEST_FREQUENCY || frequency > 0 && frequency < 1000) {
        problems.add("frequency: %d ms (expected: 0 or 1s to 24h)".formatted(frequency));
      }
      policy.setFrequencyMs(frequency);
    }
    if (request.hasDirectory()) {
      String directory = request.getDirectory();
      if (!directory.isEmpty() && (!directory.startsWith("/") || directory.contains("/../"))) {
        problems.add("directory: '%s' (expected: an absolute path)".formatted(directory));
      }
      policy.setDirectory(directory);
    }
    if (request.hasSizeBytes()) {
      long size = request.getSizeBytes();
      if (size < SMALLEST_SIZE || size > LARGEST_SIZE) {
        problems.add("size: %d bytes (expected: 200 MB to 100 TB)".formatted(size));
      }
      policy.setSizeBytes(size);
    }
    long capacity = request.hasLinkCapacity() ? request.getLinkCapacity() : old.linkCapacity();
    if (capacity < 0) {
      problems.add("link capacity: %d bit/s (expected: 0 or more)".formatted(capacity));
    }
    if (!problems.isEmpty()) {
      throw new TowlineException(
          POLICY_INVALID, String.join("; ", problems), "correct it and try again");
    }
    return new ClusterSending(policy.build(), capacity);
  }

  private static long bandwidth(String name, long bits, List<String> problems) {
    if (bits < 0 || bits > 0 && bits < SMALLEST_BANDWIDTH) {
      problems.add("%s: %d bit/s (expected: 0 or at least 8 kbit/s)".formatted(name, bits));
    }
    return bits / 8;
  }

  /** Tells a proxy that opens a session; it may have lost its state, or joined just now. */
  public void tell(Tx tx, Node proxy) {
    tx.sending().find(proxy.proxyCluster()).ifPresent(policy -> order(tx, proxy.id(), policy));
  }

  private QueuedDirective order(Tx tx, String proxy, ClusterSending policy) {
    return directives.enqueue(
        tx,
        proxy,
        DirectiveContent.newBuilder().setConfigureSending(policy.policy()).build(),
        LIFETIME,
        "");
  }

  public SendingPolicyView view(String cluster) {
    return store.read(tx -> {
      cluster(tx, cluster);
      ClusterSending sending = policy(tx, cluster);
      List<Node> members = members(tx, cluster);
      ConfigureSending policy = sending.policy();
      SendingPolicyView.Builder view =
          SendingPolicyView.newBuilder()
              .setCluster(cluster)
              .setMode(policy.getMode())
              .setBandwidth(8 * policy.getClusterBandwidth())
              .setProxyBandwidth(8 * policy.getProxyBandwidth())
              .setFrequencyMs(policy.getFrequencyMs())
              .setLinkCapacity(sending.linkCapacity())
              .setDirectory(policy.getDirectory())
              .setSizeBytes(policy.getSizeBytes())
              .setRequiredBandwidth(Math.round(8 * reports.required(cluster)))
              .addAllWarnings(reports.warnings(cluster, sending, members));
      members.forEach(node -> view.addProxies(proxy(node)));
      return view.build();
    });
  }

  private ProxySending proxy(Node node) {
    ProxySending.Builder sending = ProxySending.newBuilder().setId(node.id()).setName(node.name());
    SendingReports.View view = reports.view(node.id());
    if (view == null) {
      return sending.build();
    }
    UplinkReport report = view.report();
    return sending
        .setMode(report.getMode())
        .setReportedMs(view.atMs())
        .setRequiredBandwidth(Math.round(8 * view.rates().required()))
        .setSentBandwidth(Math.round(8 * view.rates().sent()))
        .setLimit(8 * report.getLimit())
        .setWaitingBytes(report.getWaitingBytes())
        .setSpoolBytes(report.getSpoolBytes())
        .setSpoolQuota(report.getSpoolQuota())
        .putAllKept(report.getKeptMap())
        .putAllLost(report.getLostMap())
        .putAllExported(report.getExportedMap())
        .putAllOverwritten(report.getOverwrittenMap())
        .setCpuPercent(report.getCpuPermille() / 10)
        .setMemoryPercent(report.getMemoryPermille() / 10)
        .setDiskPercent(report.getDiskPermille() / 10)
        .setProblem(report.getProblem())
        .build();
  }

  private static ClusterSending policy(Tx tx, String cluster) {
    return tx.sending().find(cluster).orElse(ClusterSending.USUAL);
  }

  private static List<Node> members(Tx tx, String cluster) {
    return tx
        .nodes()
        .list(
            NodeQuery.all(Role.PROXY, new Selector(List.of(new Condition(Field.CLUSTER, cluster)))))
        .stream()
        .filter(node -> node.revokedMs() == 0)
        .toList();
  }

  private static void cluster(Tx tx, String name) {
    if (tx.proxyClusters().find(name).isEmpty()) {
      throw new TowlineException(
          ProxyClusters.CLUSTER_NOT_FOUND,
          "proxy cluster: " + name + " does not exist",
          "see towline proxies list-clusters");
    }
  }
}
