package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.login.AdminClient;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.AssignPolicyRequest;
import dev.towline.proto.v1.ComponentReport;
import dev.towline.proto.v1.EnrollCloneRequest;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostReport;
import dev.towline.proto.v1.ListHostsRequest;
import dev.towline.proto.v1.ListHostsResponse;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.ReleaseHostRequest;
import dev.towline.proto.v1.RevokeHostRequest;
import dev.towline.proto.v1.UpdateHostsRequest;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.program.CommandGroup;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "hosts",
    header = "Shows the managed hosts.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND")
final class HostsCommand extends CommandGroup {
  private static final int PAGE = 500;
  private static final long RIGHT_WITHIN_MS = 2000;

  private final CliContext context;

  HostsCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "list",
      header = "Lists hosts with state and path.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = {
        "  towline hosts list",
        "  towline hosts list group=web,state=online",
        "  towline hosts list -o json"
      })
  int list(
      @Parameters(
              paramLabel = "SELECTOR",
              arity = "0..1",
              defaultValue = "",
              description = "for instance group=web,state=online or a host name (default: all)")
          String selector,
      @Mixin OutputOptions output) {
    ListHostsResponse all = context.ask(client -> all(client, selector));
    if (!output.isTable()) {
      output.print(all, context.out());
      return ExitCodes.OK;
    }
    if (all.getHostsCount() == 0) {
      context.say(
          selector.isEmpty()
              ? "No hosts yet. Create an install command: towline install-command create"
              : "No host matches " + selector + ".");
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var table = new Table("NAME", "GROUP", "STATE", "PATH", "VERSION", "LAST SEEN", "ID");
    for (Host host : all.getHostsList()) {
      table.row(
          host.getName(),
          host.getGroup(),
          stateOf(host),
          Paths.describe(host.getPath()),
          host.getFacts().getProgramVersion(),
          Times.ago(host.getLastSeenMs(), now),
          host.getId());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  /** All pages. */
  static ListHostsResponse all(AdminClient client, String selector) {
    var all = ListHostsResponse.newBuilder();
    String next = "";
    do {
      ListHostsResponse page =
          client
              .hosts()
              .listHosts(
                  ListHostsRequest.newBuilder()
                      .setSelector(selector)
                      .setPageSize(PAGE)
                      .setPageToken(next)
                      .build());
      all.addAllHosts(page.getHostsList()).setTotal(page.getTotal());
      next = page.getNextPageToken();
    } while (!next.isEmpty());
    return all.build();
  }

  @Command(
      name = "show",
      header = "Shows one host in full.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline hosts show web-1")
  int show(
      @Parameters(paramLabel = "HOST", description = "name or id") String name,
      @Mixin OutputOptions output) {
    Host host =
        context.ask(
            client -> client.hosts().getHost(GetHostRequest.newBuilder().setHost(name).build()));
    if (output.isTable()) {
      print(host, context.out());
    } else {
      output.print(host, context.out());
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "revoke",
      header = "Ends all trust in a host, or a proxy by its id, and cuts its session.",
      description =
          "To come back, the host needs a new install command. Relays: towline relays revoke.",
      mixinStandardHelpOptions = true)
  int revoke(
      @Parameters(paramLabel = "HOST", description = "name or id") String name,
      @Option(
              names = "--reason",
              defaultValue = "",
              description = "why, for the host and for its peers")
          String reason) {
    Host host =
        context.ask(client ->
            client
                .hosts()
                .revokeHost(
                    RevokeHostRequest.newBuilder().setHost(name).setReason(reason).build()));
    context.say("Host " + host.getName() + " (" + host.getId() + ") is revoked.");
    return ExitCodes.OK;
  }

  @Command(
      name = "release",
      header = "Takes a host out of quarantine: it is no clone.",
      mixinStandardHelpOptions = true)
  int release(@Parameters(paramLabel = "HOST", description = "name or id") String name) {
    Host host =
        context.ask(client ->
            client.hosts().releaseHost(ReleaseHostRequest.newBuilder().setHost(name).build()));
    context.say("Host " + host.getName() + " (" + host.getId() + ") is released.");
    return ExitCodes.OK;
  }

  @Command(
      name = "enroll-clone",
      header = "Makes the clone of a host's disk, now in quarantine, a host of its own.",
      mixinStandardHelpOptions = true)
  int enrollClone(
      @Parameters(paramLabel = "HOST", description = "the original: name or id") String name) {
    Host host =
        context.ask(client ->
            client.hosts().enrollClone(EnrollCloneRequest.newBuilder().setHost(name).build()));
    context.say(
        "The clone of "
            + host.getName()
            + " ("
            + host.getId()
            + ") was told to enroll as a host of its own.");
    return ExitCodes.OK;
  }

  @Command(
      name = "uninstall-command",
      header = "Shows the command that takes the agent off a host again.",
      description = {
        "Run as root on the host it stops the agent, takes away program, state, service and logs,",
        "and tells the manager, which shows the host as uninstalled."
      },
      mixinStandardHelpOptions = true)
  int uninstallCommand(
      @Option(
              names = "--program",
              paramLabel = "PROGRAM",
              defaultValue = "agent",
              description = "agent, proxy or relay (default: agent)")
          String program) {
    if (!List.of("agent", "proxy", "relay").contains(program)) {
      throw new TowlineException(
          Errors.USAGE, "program: " + program + " (expected: agent, proxy or relay)", "");
    }
    context.say("sh /opt/towline/" + program + "/uninstall");
    return ExitCodes.OK;
  }

  @Command(
      name = "move",
      header = "Moves hosts to another group, which is created when it is new.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline hosts move group=web,region=eu --group web-eu")
  int move(
      @Parameters(paramLabel = "SELECTOR", description = "for instance group=web, or a host name")
          String selector,
      @Option(names = "--group", required = true, description = "name of the group; \"\" is none")
          String group) {
    return update(UpdateHostsRequest.newBuilder().setSelector(selector).setGroup(group));
  }

  @Command(
      name = "region",
      header = "Says in which region hosts are.",
      mixinStandardHelpOptions = true)
  int region(
      @Parameters(paramLabel = "SELECTOR", description = "for instance group=web, or a host name")
          String selector,
      @Parameters(paramLabel = "REGION", description = "name of the region; \"\" is none")
          String region) {
    return update(UpdateHostsRequest.newBuilder().setSelector(selector).setRegion(region));
  }

  @Command(
      name = "provider",
      header = "Says whose machines hosts are.",
      mixinStandardHelpOptions = true)
  int provider(
      @Parameters(paramLabel = "SELECTOR", description = "for instance group=web, or a host name")
          String selector,
      @Parameters(paramLabel = "PROVIDER", description = "service provider; \"\" is none")
          String provider) {
    return update(
        UpdateHostsRequest.newBuilder().setSelector(selector).setServiceProvider(provider));
  }

  @Command(
      name = "tag",
      header = "Adds tags to hosts and removes them.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline hosts tag group=web --add pci --remove trial")
  int tag(
      @Parameters(paramLabel = "SELECTOR", description = "for instance group=web, or a host name")
          String selector,
      @Option(names = "--add", description = "tag to add; may be given several times")
          @Nullable List<String> add,
      @Option(names = "--remove", description = "tag to remove; may be given several times")
          @Nullable List<String> remove) {
    return update(
        UpdateHostsRequest.newBuilder()
            .setSelector(selector)
            .addAllAddTags(add == null ? List.of() : add)
            .addAllRemoveTags(remove == null ? List.of() : remove));
  }

  @Command(
      name = "policy",
      header = "Gives hosts another policy.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline hosts policy group=laptops laptops")
  int policy(
      @Parameters(paramLabel = "SELECTOR", description = "for instance group=web, or a host name")
          String selector,
      @Parameters(paramLabel = "POLICY", description = "name of the policy") String policy) {
    var request = AssignPolicyRequest.newBuilder().setSelector(selector).setPolicy(policy).build();
    PolicyChange change = context.ask(client -> client.policies().assignPolicy(request));
    PolicyChanges.print(change, context.out(), false);
    return ExitCodes.OK;
  }

  private static void report(Host host, Sheet sheet, Instant now) {
    if (!host.hasReport()) {
      return;
    }
    HostReport report = host.getReport();
    if (report.getIntervalMs() > 0) {
      sheet.line(
          "Heartbeats", "every " + Durations.describe(Duration.ofMillis(report.getIntervalMs())));
    }
    sheet.line("Direction", report.getDirection());
    if (report.getNextContactMs() > 0) {
      sheet.line("Next contact", Times.until(report.getNextContactMs(), now));
    }
    sheet.line("Clock", clock(report.getClockOffsetMs()));
    sheet.line(
        "Modules",
        report.getModulesList().stream()
            .map(m ->
                (m.getName() + (m.getOnline() ? " online " : " offline ") + m.getDetail()).strip())
            .collect(Collectors.joining(", ")));
    for (ComponentReport component : report.getUpdates().getComponentsList()) {
      sheet.line("Component", component(component));
    }
    sheet.line(
        "Counters",
        new TreeMap<>(report.getCountersMap())
            .entrySet().stream()
                .map(counter -> counter.getKey() + " " + counter.getValue())
                .collect(Collectors.joining(", ")));
  }

  /** Version and source, and why it is not another one. */
  private static String component(ComponentReport report) {
    String has =
        report.getVersion().isEmpty()
            ? report.getComponent() + ": none yet"
            : "%s %s from %s"
                .formatted(report.getComponent(), report.getVersion(), report.getSource());
    return report.getDetail().isEmpty() ? has : has + " (" + report.getDetail() + ")";
  }

  /** An offset that stays is a state, not an alert. */
  private static String clock(long offsetMs) {
    Duration offset = Duration.ofMillis(Math.abs(offsetMs));
    return offset.toMillis() < RIGHT_WITHIN_MS
        ? "right"
        : Durations.describe(offset) + (offsetMs > 0 ? " ahead" : " behind");
  }

  static String stateOf(Host host) {
    String state = Text.label(host.getState(), "HOST_STATE_");
    return host.getNote().isEmpty() ? state : state + " (" + host.getNote() + ")";
  }

  private int update(UpdateHostsRequest.Builder request) {
    int changed = context.ask(client -> client.hosts().updateHosts(request.build()).getChanged());
    if (changed == 0) {
      context.err().println("No host matches " + request.getSelector() + ".");
      return ExitCodes.FAILED;
    }
    context.say("Changed " + Text.count(changed, "host") + ".");
    return ExitCodes.OK;
  }

  private void print(Host host, PrintStream out) {
    Instant now = context.clock().instant();
    var facts = host.getFacts();
    var sheet = new Sheet(out);
    sheet.line("Name", host.getName());
    sheet.line("Id", host.getId());
    sheet.line("Identity", host.getIdentity());
    sheet.line("Group", host.getGroup());
    sheet.line("State", stateOf(host));
    sheet.line("Path", Paths.describe(host.getPath()));
    sheet.line(
        "Not on this path",
        host.getNotOnPathCount() == 0
            ? "nothing: everything works"
            : String.join(", ", host.getNotOnPathList()));
    sheet.line("Source address", host.getPath().getSourceAddress());
    sheet.line("TLS", (host.getTlsProtocol() + " " + host.getTlsCipherSuite()).strip());
    sheet.line("Last seen", Times.ago(host.getLastSeenMs(), now));
    sheet.line("Enrolled", Times.at(host.getEnrolledMs()));
    sheet.line("Certificate ends", Times.until(host.getCertificateExpiresMs(), now));
    sheet.line("Install command", host.getInstallCommand());
    sheet.line("Agent version", facts.getProgramVersion());
    sheet.line("Host name", facts.getHostName());
    sheet.line(
        "System",
        (facts.getOs() + " " + facts.getOsVersion() + " " + facts.getArchitecture()).strip());
    sheet.line("Kernel", facts.getKernel());
    sheet.line("Addresses", String.join(", ", facts.getAddressesList()));
    sheet.line("Asset", facts.getAssetKind());
    sheet.line("Proxy cluster", host.getProxyCluster());
    sheet.line("Note", host.getNote());
    sheet.line("Policy", host.getPolicy());
    report(host, sheet, now);
    sheet.line("Can't be dialled", host.getDialProblem());
    sheet.line("Region", host.getRegion());
    sheet.line("Service provider", host.getServiceProvider());
    sheet.line("Tags", String.join(", ", host.getTagsList()));
  }
}
