package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Quantities;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.GetSendingPolicyRequest;
import dev.towline.proto.v1.ProxySending;
import dev.towline.proto.v1.SendingMode;
import dev.towline.proto.v1.SendingPolicyView;
import dev.towline.proto.v1.SetSendingPolicyRequest;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code towline proxies policy}: shows a cluster's sending policy, or changes what is given. */
@Command(
    name = "policy",
    header = "Shows or changes what proxies do with what their clients log.",
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline proxies policy dc1",
      "  towline proxies policy dc1 --bandwidth 2Mbit/s --frequency 30s",
      "  towline proxies policy dc1 --link-capacity 10Mbit/s",
      "  towline proxies policy dc1 --mode cache --directory /srv/export --size 20GB",
      "  towline proxies policy dc1 --mode return --bandwidth unlimited"
    })
final class SendingPolicyCommand implements Callable<Integer> {
  private final CliContext context;

  @Parameters(paramLabel = "CLUSTER", description = "name of the cluster")
  private String cluster = "";

  @Option(
      names = "--mode",
      paramLabel = "MODE",
      converter = Mode.class,
      description = "return: to the manager; cache: into export.log on the proxies' hosts")
  private @Nullable SendingMode mode;

  @Option(
      names = "--bandwidth",
      paramLabel = "RATE",
      converter = Quantities.BitRate.class,
      description = "for all proxies of the cluster together, for instance 2Mbit/s, or unlimited")
  private @Nullable Long bandwidth;

  @Option(
      names = "--proxy-bandwidth",
      paramLabel = "RATE",
      converter = Quantities.BitRate.class,
      description = "for each proxy, or unlimited")
  private @Nullable Long proxyBandwidth;

  @Option(
      names = "--frequency",
      paramLabel = "DURATION",
      converter = Frequency.class,
      description = "send only every so often, for instance 30s, or unlimited")
  private @Nullable Duration frequency;

  @Option(
      names = "--link-capacity",
      paramLabel = "RATE",
      converter = Quantities.BitRate.class,
      description = "of the link to the manager; warns when clients send more than 60 %% of it")
  private @Nullable Long linkCapacity;

  @Option(
      names = "--directory",
      paramLabel = "DIR",
      description = "of export.log on the proxies' hosts; '' for the default")
  private @Nullable String directory;

  @Option(
      names = "--size",
      paramLabel = "SIZE",
      converter = Quantities.Size.class,
      description = "of the spool, and of all export files together, for instance 10GB")
  private @Nullable Long size;

  @Mixin private OutputOptions output = new OutputOptions();

  SendingPolicyCommand(CliContext context) {
    this.context = context;
  }

  /** return or cache. */
  static final class Mode implements ITypeConverter<SendingMode> {
    @Override
    public SendingMode convert(String text) {
      return switch (text) {
        case "return" -> SendingMode.RETURN;
        case "cache" -> SendingMode.CACHE;
        default ->
            throw new picocli.CommandLine.TypeConversionException(
                "'" + text + "' (expected: return or cache)");
      };
    }
  }

  /** A duration, or unlimited. */
  static final class Frequency implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) throws Exception {
      return text.equals("unlimited") ? Duration.ZERO : new Durations().convert(text);
    }
  }

  @Override
  public Integer call() {
    SetSendingPolicyRequest.Builder change =
        SetSendingPolicyRequest.newBuilder().setCluster(cluster);
    if (mode != null) {
      change.setMode(mode);
    }
    if (bandwidth != null) {
      change.setBandwidth(bandwidth);
    }
    if (proxyBandwidth != null) {
      change.setProxyBandwidth(proxyBandwidth);
    }
    if (frequency != null) {
      change.setFrequencyMs(frequency.toMillis());
    }
    if (linkCapacity != null) {
      change.setLinkCapacity(linkCapacity);
    }
    if (directory != null) {
      change.setDirectory(directory);
    }
    if (size != null) {
      change.setSizeBytes(size);
    }
    boolean changes = change.getAllFields().size() > 1;
    SendingPolicyView view =
        context.ask(client ->
            changes
                ? client.sendingPolicies().setSendingPolicy(change.build())
                : client
                    .sendingPolicies()
                    .getSendingPolicy(
                        GetSendingPolicyRequest.newBuilder().setCluster(cluster).build()));
    if (output.isTable()) {
      show(view, context.out());
    } else {
      output.print(view, context.out());
    }
    return ExitCodes.OK;
  }

  private void show(SendingPolicyView view, PrintStream out) {
    boolean returns = view.getMode() == SendingMode.RETURN;
    out.println("mode:               " + (returns ? "return to the manager" : "cache"));
    out.println("bandwidth:          " + rate(view.getBandwidth()) + " for the cluster");
    out.println("proxy bandwidth:    " + rate(view.getProxyBandwidth()) + " for each proxy");
    out.println(
        "frequency:          "
            + (view.getFrequencyMs() == 0
                ? "unlimited"
                : "every " + Durations.describe(Duration.ofMillis(view.getFrequencyMs()))));
    out.println(
        "link capacity:      "
            + (view.getLinkCapacity() == 0
                ? "not declared"
                : Quantities.bitRate(view.getLinkCapacity())));
    out.println(
        "directory:          "
            + (view.getDirectory().isEmpty()
                ? "export/ in the proxy's data directory"
                : view.getDirectory()));
    out.println("size:               " + Quantities.size(view.getSizeBytes()));
    out.println("required bandwidth: " + Quantities.bitRate(view.getRequiredBandwidth()));
    view.getWarningsList().forEach(warning -> out.println("WARNING: " + warning));
    if (view.getProxiesCount() == 0) {
      return;
    }
    out.println();
    Instant now = context.clock().instant();
    var table =
        new Table(
            "PROXY", "MODE", "LIMIT", "SENDS", "REQUIRES", "WAITING", "SPOOL", "LOST", "REPORTED");
    for (ProxySending proxy : view.getProxiesList()) {
      Map<String, Long> lost = new TreeMap<>(proxy.getLostMap());
      proxy.getOverwrittenMap().forEach((type, count) -> lost.merge(type, count, Long::sum));
      table.row(
          proxy.getName(),
          proxy.getMode() == SendingMode.CACHE ? "cache" : "return",
          rate(proxy.getLimit()),
          Quantities.bitRate(proxy.getSentBandwidth()),
          Quantities.bitRate(proxy.getRequiredBandwidth()),
          Quantities.size(proxy.getWaitingBytes()),
          Quantities.size(proxy.getSpoolBytes()) + " of " + Quantities.size(proxy.getSpoolQuota()),
          counts(lost),
          Times.ago(proxy.getReportedMs(), now));
    }
    table.print(out);
    view.getProxiesList().stream()
        .filter(proxy -> !proxy.getProblem().isEmpty())
        .forEach(proxy -> out.println(proxy.getName() + ": " + proxy.getProblem()));
  }

  private static String rate(long bits) {
    return bits == 0 ? "unlimited" : Quantities.bitRate(bits);
  }

  private static String counts(Map<String, Long> counts) {
    return counts.isEmpty()
        ? "0"
        : counts.entrySet().stream()
            .map(entry -> entry.getValue() + " " + entry.getKey())
            .collect(Collectors.joining(", "));
  }
}
