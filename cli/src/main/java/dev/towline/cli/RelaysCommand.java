package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.CreateParentCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.ListRelaysRequest;
import dev.towline.proto.v1.ListRelaysResponse;
import dev.towline.proto.v1.PairRelaysRequest;
import dev.towline.proto.v1.RelayInfo;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "relays",
    header = "Manages the relay pairs that cross a firewall.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline relays parent-command hq",
      "  towline relays pair --parent hq --child dmz --dial dmz.example --downstream 192.0.2.7",
      "  towline install-command create --relay dmz"
    })
final class RelaysCommand extends CommandGroup {
  private final CliContext context;

  RelaysCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "parent-command",
      header = "Creates the command that turns a host in the secure zone into a parent relay.",
      mixinStandardHelpOptions = true)
  int parentCommand(
      @Parameters(paramLabel = "NAME", description = "name of the parent") String name,
      @Option(
              names = "--expires",
              paramLabel = "DURATION",
              defaultValue = "24h",
              converter = Durations.class,
              description = "how long it may be used (default: 24h)")
          Duration expires,
      @Option(
              names = "--enrollment-file",
              paramLabel = "PATH",
              description = "also write the enrollment file for a relay that is started by hand")
          @Nullable Path enrollmentFile,
      @Mixin OutputOptions output) {
    CreatedInstallCommand created;
    try (var client = context.connect()) {
      created =
          client
              .relays()
              .createParentCommand(
                  CreateParentCommandRequest.newBuilder()
                      .setName(name)
                      .setExpiresInMs(expires.toMillis())
                      .build());
    }
    CreatedCommands.print(context, created, "the parent relay " + name, enrollmentFile, output);
    return ExitCodes.OK;
  }

  @Command(
      name = "pair",
      header = "Pairs a child with its parent and creates the child's command.",
      description = {
        "The parent dials the child; nothing is ever opened inwards. Hosts below the child use its",
        "downstream address."
      },
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer =
          "  towline relays pair --parent hq --child dmz --dial dmz.example:52311 --downstream"
              + " 192.0.2.7")
  int pair(
      @Option(names = "--parent", required = true, description = "name or id of the parent")
          String parent,
      @Option(names = "--child", required = true, description = "name of the child") String child,
      @Option(
              names = "--dial",
              paramLabel = "HOST[:PORT]",
              required = true,
              description = "where the parent reaches the child (default port: 52311)")
          String dial,
      @Option(
              names = "--downstream",
              paramLabel = "HOST",
              defaultValue = "",
              description = "where hosts below the child reach it")
          String downstream,
      @Option(
              names = "--session-port",
              defaultValue = "0",
              description = "downstream session port (default: 7443)")
          int sessionPort,
      @Option(
              names = "--public-port",
              defaultValue = "0",
              description = "downstream port for installing (default: 8443)")
          int publicPort,
      @Option(
              names = "--expires",
              paramLabel = "DURATION",
              defaultValue = "24h",
              converter = Durations.class,
              description = "how long the command may be used (default: 24h)")
          Duration expires,
      @Option(
              names = "--enrollment-file",
              paramLabel = "PATH",
              description = "also write the enrollment file for a relay that is started by hand")
          @Nullable Path enrollmentFile,
      @Mixin OutputOptions output) {
    CreatedInstallCommand created;
    try (var client = context.connect()) {
      created =
          client
              .relays()
              .pairRelays(
                  PairRelaysRequest.newBuilder()
                      .setParent(parent)
                      .setChild(child)
                      .setDialAddress(dial)
                      .setDownstreamAddress(downstream)
                      .setSessionPort(sessionPort)
                      .setPublicPort(publicPort)
                      .setExpiresInMs(expires.toMillis())
                      .build());
    }
    CreatedCommands.print(context, created, "the child relay " + child, enrollmentFile, output);
    return ExitCodes.OK;
  }

  @Command(name = "list", header = "Lists relays.", mixinStandardHelpOptions = true)
  int list(@Mixin OutputOptions output) {
    ListRelaysResponse relays;
    try (var client = context.connect()) {
      relays = client.relays().listRelays(ListRelaysRequest.getDefaultInstance());
    }
    if (!output.isTable()) {
      output.print(relays, context.out());
      return ExitCodes.OK;
    }
    if (relays.getRelaysCount() == 0) {
      context.out().println("No relays. Start with: towline relays parent-command NAME");
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var table =
        new Table(
            "NAME",
            "STATE",
            "PARENTS",
            "CHILDREN",
            "DIALLED AT",
            "DOWNSTREAM",
            "LINKS",
            "LAST SEEN");
    for (RelayInfo relay : relays.getRelaysList()) {
      table.row(
          relay.getName(),
          Text.label(relay.getState(), "HOST_STATE_"),
          String.join(", ", relay.getParentsList()),
          String.join(", ", relay.getChildrenList()),
          relay.getDialAddress(),
          downstream(relay),
          String.join(", ", relay.getLinksList()),
          Times.ago(relay.getLastSeenMs(), now));
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  private static String downstream(RelayInfo relay) {
    return relay.getDownstreamAddress().isEmpty()
        ? ""
        : relay.getDownstreamAddress() + ":" + relay.getSessionPort() + "," + relay.getPublicPort();
  }
}
