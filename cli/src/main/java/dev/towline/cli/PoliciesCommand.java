package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.CreatePolicyRequest;
import dev.towline.proto.v1.DeletePolicyRequest;
import dev.towline.proto.v1.EffectiveSetting;
import dev.towline.proto.v1.GetHostPolicyRequest;
import dev.towline.proto.v1.GetPolicyDocumentRequest;
import dev.towline.proto.v1.GetPolicyHistoryRequest;
import dev.towline.proto.v1.GetPolicyRequest;
import dev.towline.proto.v1.HostPolicy;
import dev.towline.proto.v1.ListPoliciesRequest;
import dev.towline.proto.v1.ListPoliciesResponse;
import dev.towline.proto.v1.ListSettingsRequest;
import dev.towline.proto.v1.ListSettingsResponse;
import dev.towline.proto.v1.Policy;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.PolicyDocument;
import dev.towline.proto.v1.PolicyHistory;
import dev.towline.proto.v1.PolicyVersion;
import dev.towline.proto.v1.RevertPolicyRequest;
import dev.towline.proto.v1.SettingInfo;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.program.CommandGroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "policies",
    aliases = "policy",
    header = "Shows and changes what hosts go by: base, sub-policies, single hosts.",
    description =
        "A setting that a level does not have is inherited from the one above. LEVEL is the name"
            + " of a policy, or with --host the name or id of a host.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline policies create laptops --description 'often away'",
      "  towline policies set laptops heartbeat.interval=5m"
          + " heartbeat.missed-before-alert=unlimited",
      "  towline hosts policy group=laptops laptops",
      "  towline policy explain web-1"
    })
final class PoliciesCommand extends CommandGroup {
  private static final String LEVEL = "name of the policy, or of the host with --host";

  private final CliContext context;

  PoliciesCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "settings",
      header = "Lists every setting with its range and default.",
      mixinStandardHelpOptions = true)
  int settings(@Mixin OutputOptions output) {
    ListSettingsResponse settings =
        context.ask(
            client -> client.policies().listSettings(ListSettingsRequest.getDefaultInstance()));
    if (!output.isTable()) {
      output.print(settings, context.out());
      return ExitCodes.OK;
    }
    var table = new Table("SETTING", "DEFAULT", "ALLOWED", "UNIT", "DESCRIPTION");
    for (SettingInfo setting : settings.getSettingsList()) {
      table.row(
          setting.getName(),
          setting.getDefaultValue(),
          setting.getAllowed(),
          setting.getUnit(),
          setting.getDescription());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(name = "list", header = "Lists policies.", mixinStandardHelpOptions = true)
  int list(@Mixin OutputOptions output) {
    ListPoliciesResponse policies =
        context.ask(
            client -> client.policies().listPolicies(ListPoliciesRequest.getDefaultInstance()));
    if (!output.isTable()) {
      output.print(policies, context.out());
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var table = new Table("NAME", "PARENT", "HOSTS", "SETS", "VERSION", "CHANGED", "BY");
    for (Policy policy : policies.getPoliciesList()) {
      table.row(
          policy.getName(),
          policy.getParent(),
          Integer.toString(policy.getHosts()),
          Integer.toString(policy.getSettingsCount()),
          Long.toString(policy.getVersion()),
          Times.ago(policy.getChangedMs(), now),
          policy.getAuthor());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(
      name = "show",
      header = "Shows one policy: each setting with its value or what it inherits.",
      mixinStandardHelpOptions = true)
  int show(
      @Parameters(paramLabel = "POLICY", description = "name of the policy") String name,
      @Mixin OutputOptions output) {
    Policy policy =
        context.ask(client ->
            client.policies().getPolicy(GetPolicyRequest.newBuilder().setPolicy(name).build()));
    if (!output.isTable()) {
      output.print(policy, context.out());
      return ExitCodes.OK;
    }
    var sheet = new Sheet(context.out());
    sheet.line("Name", policy.getName());
    sheet.line("Parent", policy.getParent());
    sheet.line("Description", policy.getDescription());
    sheet.line("Hosts", Integer.toString(policy.getHosts()));
    sheet.line("Version", policy.getVersion() + " by " + policy.getAuthor());
    context.say("");
    var table = new Table("SETTING", "HERE", "EFFECTIVE", "FROM");
    for (EffectiveSetting setting : policy.getEffectiveList()) {
      table.row(
          setting.getName(),
          policy.getSettingsOrDefault(setting.getName(), "inherited"),
          setting.getValue(),
          setting.getLevel());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(
      name = "explain",
      header = "Shows every value that a host goes by, and the level that it comes from.",
      mixinStandardHelpOptions = true)
  int explain(
      @Parameters(paramLabel = "HOST", description = "name or id") String host,
      @Mixin OutputOptions output) {
    HostPolicy policy =
        context.ask(client ->
            client
                .policies()
                .getHostPolicy(GetHostPolicyRequest.newBuilder().setHost(host).build()));
    if (!output.isTable()) {
      output.print(policy, context.out());
      return ExitCodes.OK;
    }
    var sheet = new Sheet(context.out());
    sheet.line("Host", policy.getHostName());
    sheet.line("Policy", policy.getPolicy());
    sheet.line("Note", policy.getNote());
    sheet.line(
        "On the host",
        policy.getUpToDate() ? "up to date" : "differs; it is sent when the host is in session");
    context.say("");
    var table = new Table("SETTING", "VALUE", "FROM");
    for (EffectiveSetting setting : policy.getSettingsList()) {
      table.row(setting.getName(), setting.getValue(), setting.getLevel());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(name = "create", header = "Creates a sub-policy.", mixinStandardHelpOptions = true)
  int create(
      @Parameters(paramLabel = "NAME", description = "name of the policy") String name,
      @Option(
              names = "--parent",
              defaultValue = "base",
              description = "the policy above it (default: base)")
          String parent,
      @Option(names = "--description", defaultValue = "", description = "for people")
          String description) {
    Policy policy =
        context.ask(client ->
            client
                .policies()
                .createPolicy(
                    CreatePolicyRequest.newBuilder()
                        .setName(name)
                        .setParent(parent)
                        .setDescription(description)
                        .build()));
    context.say("Policy " + policy.getName() + " is created below " + policy.getParent() + ".");
    return ExitCodes.OK;
  }

  @Command(
      name = "delete",
      header = "Deletes a policy that nobody uses.",
      mixinStandardHelpOptions = true)
  int delete(@Parameters(paramLabel = "POLICY", description = "name of the policy") String name) {
    var _ =
        context.ask(client ->
            client
                .policies()
                .deletePolicy(DeletePolicyRequest.newBuilder().setPolicy(name).build()));
    context.say("Policy " + name + " is deleted.");
    return ExitCodes.OK;
  }

  @Command(
      name = "set",
      header = "Gives settings a value at one level.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = {
        "  towline policies set base heartbeat.interval=30s",
        "  towline policies set --host web-1 heartbeat.missed-before-alert=0",
        "  towline policies set web firewall.on=yes firewall.rules=@rules.yaml"
      })
  int set(
      @Option(names = "--host", description = "LEVEL is a host") boolean host,
      @Parameters(paramLabel = "LEVEL", description = LEVEL) String level,
      @Parameters(
              index = "1..*",
              arity = "1..*",
              paramLabel = "SETTING=VALUE",
              description = "the value inherited takes it away; @FILE is what the file holds")
          Map<String, String> values) {
    ChangeSettingsRequest.Builder change = level(host, level);
    values.forEach((name, value) -> change.putSet(name, value(value)));
    return change(change.build());
  }

  private static String value(String given) {
    if (!given.startsWith("@")) {
      return given;
    }
    try {
      return Files.readString(Path.of(given.substring(1)));
    } catch (IOException e) {
      throw new TowlineException(
          Errors.USAGE, "file: " + given.substring(1) + " can't be read", "give a file", e);
    }
  }

  @Command(
      name = "clear",
      header = "Takes settings away from one level: they are inherited again.",
      mixinStandardHelpOptions = true)
  int clear(
      @Option(names = "--host", description = "LEVEL is a host") boolean host,
      @Parameters(paramLabel = "LEVEL", description = LEVEL) String level,
      @Parameters(
              index = "1..*",
              arity = "1..*",
              paramLabel = "SETTING",
              description = "names of settings")
          List<String> names) {
    return change(level(host, level).addAllClear(names).build());
  }

  @Command(
      name = "history",
      header = "Shows who changed a level, when and how.",
      mixinStandardHelpOptions = true)
  int history(
      @Option(names = "--host", description = "LEVEL is a host") boolean host,
      @Parameters(paramLabel = "LEVEL", description = LEVEL) String level,
      @Mixin OutputOptions output) {
    var request = GetPolicyHistoryRequest.newBuilder();
    PolicyHistory history =
        context.ask(client ->
            client
                .policies()
                .getPolicyHistory(
                    (host ? request.setHost(level) : request.setPolicy(level)).build()));
    if (!output.isTable()) {
      output.print(history, context.out());
      return ExitCodes.OK;
    }
    var table = new Table("VERSION", "CHANGED", "BY", "CHANGE");
    for (PolicyVersion version : history.getVersionsList()) {
      table.row(
          Long.toString(version.getVersion()),
          Times.at(version.getChangedMs()),
          version.getAuthor(),
          version.getChange());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(
      name = "revert",
      header = "Goes back to an earlier version of a level, which becomes a new one.",
      mixinStandardHelpOptions = true)
  int revert(
      @Option(names = "--host", description = "LEVEL is a host") boolean host,
      @Parameters(paramLabel = "LEVEL", description = LEVEL) String level,
      @Parameters(paramLabel = "VERSION", description = "as the history shows it") long version) {
    var request = RevertPolicyRequest.newBuilder().setVersion(version);
    PolicyChange change =
        context.ask(client ->
            client
                .policies()
                .revertPolicy((host ? request.setHost(level) : request.setPolicy(level)).build()));
    PolicyChanges.print(change, context.out(), false);
    return ExitCodes.OK;
  }

  @Command(
      name = "export",
      header = "Prints all policies as the YAML that towline apply takes.",
      mixinStandardHelpOptions = true)
  int export() {
    PolicyDocument document =
        context.ask(client ->
            client.policies().getPolicyDocument(GetPolicyDocumentRequest.getDefaultInstance()));
    context.out().print(document.getYaml());
    context.out().flush();
    return ExitCodes.OK;
  }

  private static ChangeSettingsRequest.Builder level(boolean host, String level) {
    var request = ChangeSettingsRequest.newBuilder();
    return host ? request.setHost(level) : request.setPolicy(level);
  }

  private int change(ChangeSettingsRequest request) {
    PolicyChange change = context.ask(client -> client.policies().changeSettings(request));
    PolicyChanges.print(change, context.out(), false);
    return ExitCodes.OK;
  }
}
