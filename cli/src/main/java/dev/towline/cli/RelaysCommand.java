package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.CreateParentCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.GetRelayRequest;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListRelaysRequest;
import dev.towline.proto.v1.ListRelaysResponse;
import dev.towline.proto.v1.PairRelaysRequest;
import dev.towline.proto.v1.PairedRelays;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.proto.v1.RevokeRelayRequest;
import dev.towline.proto.v1.SetChildListRequest;
import dev.towline.proto.v1.SetRelaySettingsRequest;
import dev.towline.proto.v1.UnpairRelaysRequest;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.program.CommandGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
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
      "  towline relays pair --parent hq --child dmz --dial dmz.example --downstream 192.0.2.7",
      "  towline relays show dmz",
      "  towline relays set hq ping-interval-ms=5000",
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
    CreatedInstallCommand created =
        context.ask(client ->
            client
                .relays()
                .createParentCommand(
                    CreateParentCommandRequest.newBuilder()
                        .setName(name)
                        .setExpiresInMs(expires.toMillis())
                        .build()));
    CreatedCommands.print(context, created, "the parent relay " + name, enrollmentFile, output);
    return ExitCodes.OK;
  }

  @Command(
      name = "pair",
      header = "Makes two relays parent and child.",
      description = {
        "The parent dials the child; nothing is ever opened inwards. Hosts below the child use its",
        "downstream address. Either side may be new or registered, in any order: a new one gets"
            + " its",
        "command here, a registered one is told by its manager. Where a host of that name has an",
        "agent, the agent is told to install the relay."
      },
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer =
          "  towline relays pair --parent hq --child dmz --dial dmz.example:52311 --downstream"
              + " 192.0.2.7")
  int pair(
      @Option(
              names = "--parent",
              required = true,
              description = "name of the parent, or id of its host")
          String parent,
      @Option(
              names = "--child",
              required = true,
              description = "name of the child, or id of its host")
          String child,
      @Option(
              names = "--dial",
              paramLabel = "HOST[:PORT]",
              defaultValue = "",
              description =
                  "where the parent reaches the child (default: as before, at first the downstream"
                      + " address; default port: 52311)")
          String dial,
      @Option(
              names = "--downstream",
              paramLabel = "HOST",
              defaultValue = "",
              description = "where hosts below the child reach it (default: as before)")
          String downstream,
      @Option(
              names = "--session-port",
              defaultValue = "0",
              description = "downstream session port (default: as before, at first 7443)")
          int sessionPort,
      @Option(
              names = "--public-port",
              defaultValue = "0",
              description = "downstream port for installing (default: as before, at first 8443)")
          int publicPort,
      @Option(
              names = "--updates-port",
              defaultValue = "0",
              description = "downstream port for updates (default: as before, at first 8080)")
          int updatesPort,
      @Option(
              names = "--expires",
              paramLabel = "DURATION",
              defaultValue = "24h",
              converter = Durations.class,
              description = "how long the commands may be used (default: 24h)")
          Duration expires,
      @Option(
              names = "--enrollment-file",
              paramLabel = "PATH",
              description = "also write the child's enrollment file, for a child started by hand")
          @Nullable Path enrollmentFile,
      @Option(
              names = "--parent-enrollment-file",
              paramLabel = "PATH",
              description = "also write the parent's enrollment file, for a parent started by hand")
          @Nullable Path parentEnrollmentFile,
      @Option(
              names = "--by-hand",
              description = "give a command also for a host whose agent could install the relay")
          boolean byHand,
      @Mixin OutputOptions output) {
    PairedRelays paired =
        context.ask(client ->
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
                        .setUpdatesPort(updatesPort)
                        .setExpiresInMs(expires.toMillis())
                        .setByHand(byHand)
                        .build()));
    for (String warning : paired.getWarningsList()) {
      context.err().println("warning: " + warning);
    }
    if (paired.hasChild()) {
      CreatedCommands.keep(context, paired.getChild(), enrollmentFile);
    }
    if (paired.hasParent()) {
      CreatedCommands.keep(context, paired.getParent(), parentEnrollmentFile);
    }
    if (!output.isTable()) {
      output.print(paired, context.out());
      return ExitCodes.OK;
    }
    context.say(parent + " is the parent of " + child + ". What is left, in any order:");
    paired.getStepsList().forEach(step -> context.say("- " + step));
    if (paired.hasParent()) {
      context.say("");
      CreatedCommands.show(
          context, paired.getParent(), "the parent relay " + parent, parentEnrollmentFile);
    }
    if (paired.hasChild()) {
      context.say("");
      CreatedCommands.show(context, paired.getChild(), "the child relay " + child, enrollmentFile);
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "unpair",
      header = "Ends a pair: the parent dials this child no longer.",
      mixinStandardHelpOptions = true)
  int unpair(
      @Option(names = "--parent", required = true, description = "name of the parent")
          String parent,
      @Option(names = "--child", required = true, description = "name of the child") String child) {
    var _ =
        context.ask(client ->
            client
                .relays()
                .unpairRelays(
                    UnpairRelaysRequest.newBuilder().setParent(parent).setChild(child).build()));
    context.say(parent + " is no longer the parent of " + child + ".");
    return ExitCodes.OK;
  }

  @Command(
      name = "children",
      header = "Shows the child list of a parent, or sets the whole of it.",
      description = {
        "With --set, the relays that are named are the parent's children from now on, and no"
            + " others.",
        "Each has to be a child already, of this parent or another: see towline relays pair. An",
        "empty list is refused."
      },
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline relays children hq --set dmz,edge")
  int children(
      @Parameters(paramLabel = "PARENT", description = "name or id") String parent,
      @Option(
              names = "--set",
              paramLabel = "CHILD,…",
              description = "names or ids of all its children, separated by commas")
          @Nullable String children,
      @Mixin OutputOptions output) {
    RelayInfo relay;
    if (children == null) {
      relay = relay(parent);
    } else {
      relay =
          context.ask(client ->
              client
                  .relays()
                  .setChildList(
                      SetChildListRequest.newBuilder()
                          .setRelay(parent)
                          .addAllChildren(
                              children.isBlank() ? List.of() : List.of(children.split(",", -1)))
                          .build()));
    }
    if (output.isTable()) {
      relay.getChildrenList().forEach(context.out()::println);
    } else {
      output.print(relay, context.out());
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "show",
      header = "Shows one relay with its persistent connections.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline relays show dmz")
  int show(
      @Parameters(paramLabel = "RELAY", description = "name or id") String name,
      @Mixin OutputOptions output) {
    RelayInfo relay = relay(name);
    if (output.isTable()) {
      RelaySheet.print(relay, context.clock().instant(), context.out());
    } else {
      output.print(relay, context.out());
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "settings",
      header = "Shows the settings of a relay, with where each value came from.",
      mixinStandardHelpOptions = true)
  int settings(
      @Parameters(paramLabel = "RELAY", description = "name or id") String name,
      @Mixin OutputOptions output) {
    RelayInfo relay = relay(name);
    if (output.isTable()) {
      RelaySheet.settings(relay, context.out());
    } else {
      output.print(relay, context.out());
    }
    return ExitCodes.OK;
  }

  private RelayInfo relay(String name) {
    return context.ask(
        client -> client.relays().getRelay(GetRelayRequest.newBuilder().setRelay(name).build()));
  }

  @Command(
      name = "set",
      header = "Changes settings of a relay while it runs; no connection is lost.",
      description = "An empty value gives the key back to the relay's own file or the default.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = {
        "  towline relays set hq connections=4 ping-interval-ms=5000",
        "  towline relays set hq drain=1",
        "  towline relays set hq connections="
      })
  int set(
      @Parameters(index = "0", paramLabel = "RELAY", description = "name or id") String name,
      @Parameters(index = "1..*", arity = "1..*", paramLabel = "KEY=VALUE") List<String> values,
      @Mixin OutputOptions output) {
    var request = SetRelaySettingsRequest.newBuilder().setRelay(name);
    for (String each : values) {
      int equals = each.indexOf('=');
      if (equals < 1) {
        throw new TowlineException(
            Errors.USAGE,
            "setting: " + each + " (expected: key=value)",
            "see towline relays settings " + name);
      }
      request.putSettings(each.substring(0, equals), each.substring(equals + 1));
    }
    RelayInfo relay = context.ask(client -> client.relays().setRelaySettings(request.build()));
    if (!output.isTable()) {
      output.print(relay, context.out());
      return ExitCodes.OK;
    }
    context.say(
        relay.getState() == HostState.HOST_STATE_ONLINE
            ? "Told; see towline relays settings " + name + "."
            : "Stored; the relay takes it up when it is back.");
    return ExitCodes.OK;
  }

  @Command(
      name = "revoke",
      header = "Ends all trust in a relay, cuts its connections and forgets it.",
      mixinStandardHelpOptions = true)
  int revoke(
      @Parameters(paramLabel = "RELAY", description = "name or id") String name,
      @Option(
              names = "--reason",
              defaultValue = "",
              description = "why, for the event and for its peers")
          String reason) {
    RelayInfo relay =
        context.ask(client ->
            client
                .relays()
                .revokeRelay(
                    RevokeRelayRequest.newBuilder().setRelay(name).setReason(reason).build()));
    context.say("Relay " + relay.getName() + " is revoked.");
    return ExitCodes.OK;
  }

  @Command(name = "list", header = "Lists relays.", mixinStandardHelpOptions = true)
  int list(@Mixin OutputOptions output) {
    ListRelaysResponse relays =
        context.ask(client -> client.relays().listRelays(ListRelaysRequest.getDefaultInstance()));
    if (!output.isTable()) {
      output.print(relays, context.out());
      return ExitCodes.OK;
    }
    if (relays.getRelaysCount() == 0) {
      context.say(
          "No relays. Start with: towline relays pair --parent NAME --child NAME --dial HOST"
              + " --downstream HOST");
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
          RelaySheet.downstream(relay),
          String.join(", ", relay.getLinksList()),
          Times.ago(relay.getLastSeenMs(), now));
    }
    table.print(context.out());
    return ExitCodes.OK;
  }
}
