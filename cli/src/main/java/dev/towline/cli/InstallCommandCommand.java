package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.CopyInstallCommandRequest;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.InstallCommand;
import dev.towline.proto.v1.ListInstallCommandsRequest;
import dev.towline.proto.v1.ListInstallCommandsResponse;
import dev.towline.proto.v1.RevokeInstallCommandRequest;
import dev.towline.runtime.program.CommandGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "install-command",
    header = "Creates, lists and revokes the commands that turn a host into a managed one.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND")
final class InstallCommandCommand extends CommandGroup {
  private final CliContext context;

  InstallCommandCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "create",
      header = "Creates an install command and prints it, once.",
      description = {
        "Paste one of the two lines into a root shell on the host; it downloads, checks, installs,",
        "enrolls and starts the agent. Hosts need neither Java nor the internet."
      },
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = {
        "  towline install-command create --group web --expires 24h",
        "  towline install-command create --group edge --proxy-cluster dc1 --max-uses 10",
        "  towline install-command create --group dmz --relay dmz-child --tag pci"
      })
  int create(
      @Option(names = "--os", defaultValue = "linux", description = "default: linux") String os,
      @Option(names = "--group", defaultValue = "", description = "group that the hosts join")
          String group,
      @Option(
              names = "--expires",
              paramLabel = "DURATION",
              defaultValue = "24h",
              converter = Durations.class,
              description = "how long it may be used, for instance 24h or 7d (default: 24h)")
          Duration expires,
      @Option(
              names = "--proxy-cluster",
              paramLabel = "NAME",
              defaultValue = "",
              description = "hosts reach the manager through this proxy cluster")
          String proxyCluster,
      @Option(
              names = "--relay",
              paramLabel = "NAME",
              defaultValue = "",
              description = "hosts reach the manager through this child relay")
          String relay,
      @Option(
              names = "--max-uses",
              paramLabel = "N",
              defaultValue = "0",
              description = "number of hosts it may enroll (default: no limit)")
          int maxUses,
      @Option(names = "--region", defaultValue = "", description = "region of the hosts")
          String region,
      @Option(
              names = "--service-provider",
              paramLabel = "NAME",
              defaultValue = "",
              description = "whose machines they are")
          String serviceProvider,
      @Option(names = "--tag", description = "tag of the hosts; may be given several times")
          @Nullable List<String> tags,
      @Option(
              names = "--policy",
              defaultValue = "",
              description = "name of the policy that the hosts get")
          String policy,
      @Option(
              names = "--source-network",
              paramLabel = "CIDR",
              description =
                  "block from which hosts may enroll, for instance 10.1.0.0/16; may be given"
                      + " several times (default: any)")
          @Nullable List<String> sourceNetworks,
      @Option(
              names = "--image-system",
              description = "the host becomes a golden image: its clones enroll, it does not")
          boolean imageSystem,
      @Option(
              names = "--enrollment-file",
              paramLabel = "PATH",
              description = "also write the enrollment file for an agent that is started by hand")
          @Nullable Path enrollmentFile,
      @Mixin OutputOptions output) {
    var request =
        CreateInstallCommandRequest.newBuilder()
            .setOs(os)
            .setGroup(group)
            .setExpiresInMs(expires.toMillis())
            .setProxyCluster(proxyCluster)
            .setRelay(relay)
            .setMaxUses(maxUses)
            .setRegion(region)
            .setServiceProvider(serviceProvider)
            .addAllTags(tags == null ? List.of() : tags)
            .setImageSystem(imageSystem)
            .setPolicy(policy)
            .addAllSourceNetworks(sourceNetworks == null ? List.of() : sourceNetworks)
            .build();
    CreatedInstallCommand created =
        context.ask(client -> client.installCommands().createInstallCommand(request));
    CreatedCommands.print(context, created, "hosts", enrollmentFile, output);
    return ExitCodes.OK;
  }

  @Command(
      name = "list",
      header = "Lists install commands.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline install-command list --all")
  int list(
      @Option(names = "--all", description = "also expired, revoked and used-up ones") boolean all,
      @Mixin OutputOptions output) {
    ListInstallCommandsResponse commands =
        context.ask(client ->
            client
                .installCommands()
                .listInstallCommands(
                    ListInstallCommandsRequest.newBuilder().setIncludeEnded(all).build()));
    if (!output.isTable()) {
      output.print(commands, context.out());
      return ExitCodes.OK;
    }
    if (commands.getCommandsCount() == 0) {
      context.say("No install commands. Create one: towline install-command create");
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var table = new Table("ID", "FOR", "GROUP", "THROUGH", "USES", "ENDS", "LAST USED", "REFUSED");
    for (InstallCommand command : commands.getCommandsList()) {
      table.row(
          command.getId(),
          kindOf(command),
          command.getGroup(),
          through(command),
          command.getUses() + (command.getMaxUses() > 0 ? "/" + command.getMaxUses() : ""),
          command.getRevoked() ? "revoked" : Times.until(command.getExpiresMs(), now),
          Times.ago(command.getLastUsedMs(), now),
          command.getRefusals() == 0
              ? ""
              : command.getRefusals() + " (" + command.getLastRefusal() + ")");
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(
      name = "show",
      header = "Shows an install command in full, with its lines to copy.",
      mixinStandardHelpOptions = true)
  int show(
      @Parameters(paramLabel = "ID", description = "as install-command list shows it") String id,
      @Mixin OutputOptions output) {
    CreatedInstallCommand copied =
        context.ask(client ->
            client
                .installCommands()
                .copyInstallCommand(
                    CopyInstallCommandRequest.newBuilder().setInstallCommand(id).build()));
    if (!output.isTable()) {
      output.print(copied, context.out());
      return ExitCodes.OK;
    }
    InstallCommand command = copied.getCommand();
    var sheet = new Sheet(context.out());
    sheet.line("Id", command.getId());
    sheet.line("For", kindOf(command));
    sheet.line("Operating system", command.getOs());
    sheet.line("Image system", command.getImageSystem() ? "yes" : "no");
    sheet.line("Through", through(command));
    sheet.line("Group", command.getGroup());
    sheet.line("Region", command.getRegion());
    sheet.line("Service provider", command.getServiceProvider());
    sheet.line("Tags", String.join(", ", command.getTagsList()));
    sheet.line("Policy", command.getPolicy());
    sheet.line("Source networks", String.join(", ", command.getSourceNetworksList()));
    sheet.line(
        "Uses", command.getUses() + (command.getMaxUses() > 0 ? "/" + command.getMaxUses() : ""));
    sheet.line("Created", Times.at(command.getCreatedMs()) + " by " + command.getCreatedBy());
    context.say("");
    CreatedCommands.show(context, copied, kindOf(command), null);
    return ExitCodes.OK;
  }

  @Command(
      name = "revoke",
      header = "Revokes an install command; enrolled hosts stay.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = "  towline install-command revoke k3v9x2m4")
  int revoke(
      @Parameters(paramLabel = "ID", description = "as install-command list shows it") String id,
      @Mixin OutputOptions output) {
    InstallCommand revoked =
        context.ask(client ->
            client
                .installCommands()
                .revokeInstallCommand(
                    RevokeInstallCommandRequest.newBuilder().setInstallCommand(id).build()));
    if (output.isTable()) {
      context.say("Install command " + revoked.getId() + " is revoked.");
    } else {
      output.print(revoked, context.out());
    }
    return ExitCodes.OK;
  }

  private static String kindOf(InstallCommand command) {
    String role = command.getRole().name().replaceFirst("^ROLE_", "").toLowerCase(Locale.ROOT);
    return command.getName().isEmpty() ? role : role + " " + command.getName();
  }

  private static String through(InstallCommand command) {
    if (!command.getProxyCluster().isEmpty()) {
      return "proxy " + command.getProxyCluster();
    }
    return command.getRelay().isEmpty() ? "direct" : "relay " + command.getRelay();
  }
}
