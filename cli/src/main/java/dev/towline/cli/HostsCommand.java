package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.ListHostsRequest;
import dev.towline.proto.v1.ListHostsResponse;
import dev.towline.proto.v1.ReleaseHostRequest;
import dev.towline.proto.v1.RevokeHostRequest;
import java.io.PrintStream;
import java.time.Instant;
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
    var all = ListHostsResponse.newBuilder();
    try (var client = context.connect()) {
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
    }
    if (!output.isTable()) {
      output.print(all, context.out());
      return ExitCodes.OK;
    }
    if (all.getHostsCount() == 0) {
      context
          .out()
          .println(
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
          Text.label(host.getState(), "HOST_STATE_"),
          Paths.describe(host.getPath()),
          host.getFacts().getProgramVersion(),
          Times.ago(host.getLastSeenMs(), now),
          host.getId());
    }
    table.print(context.out());
    return ExitCodes.OK;
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
    Host host;
    try (var client = context.connect()) {
      host = client.hosts().getHost(GetHostRequest.newBuilder().setHost(name).build());
    }
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
    Host host;
    try (var client = context.connect()) {
      host =
          client
              .hosts()
              .revokeHost(RevokeHostRequest.newBuilder().setHost(name).setReason(reason).build());
    }
    context.out().println("Host " + host.getName() + " (" + host.getId() + ") is revoked.");
    return ExitCodes.OK;
  }

  @Command(
      name = "release",
      header = "Takes a host out of quarantine: it is no clone.",
      mixinStandardHelpOptions = true)
  int release(@Parameters(paramLabel = "HOST", description = "name or id") String name) {
    Host host;
    try (var client = context.connect()) {
      host = client.hosts().releaseHost(ReleaseHostRequest.newBuilder().setHost(name).build());
    }
    context.out().println("Host " + host.getName() + " (" + host.getId() + ") is released.");
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
    sheet.line("State", Text.label(host.getState(), "HOST_STATE_"));
    sheet.line("Path", Paths.describe(host.getPath()));
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
    sheet.line("Region", host.getRegion());
    sheet.line("Service provider", host.getServiceProvider());
    sheet.line("Tags", String.join(", ", host.getTagsList()));
  }
}
