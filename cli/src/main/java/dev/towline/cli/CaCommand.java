package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.Ca;
import dev.towline.proto.v1.CaMember;
import dev.towline.proto.v1.CaRoot;
import dev.towline.proto.v1.FinishCaRotationRequest;
import dev.towline.proto.v1.GetCaRequest;
import dev.towline.proto.v1.RevokeDirectiveKeyRequest;
import dev.towline.proto.v1.RollBackCaRotationRequest;
import dev.towline.proto.v1.RotateCaRequest;
import dev.towline.runtime.program.CommandGroup;
import java.time.Instant;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "ca",
    header = "Shows and changes the fleet's certification authority.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline ca rotate     # a new root; members are told of it",
      "  towline ca show       # how many trust it, who does not",
      "  towline ca finish     # the old root is given up"
    })
final class CaCommand extends CommandGroup {
  private static final String LEAVE = "--leave-behind";

  private final CliContext context;

  CaCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "show",
      header = "Shows the root and how far a change of it has come.",
      mixinStandardHelpOptions = true)
  int show(@Mixin OutputOptions output) {
    Ca ca = context.ask(client -> client.ca().getCa(GetCaRequest.getDefaultInstance()));
    return print(ca, output);
  }

  @Command(
      name = "rotate",
      header = "Begins a change of the root, or goes on with one.",
      description = {
        "Makes a new root and tells every member of it. Once all of them trust it, certificates are"
            + " issued under it; called again, that happens now.",
        "Sessions go on meanwhile."
      },
      mixinStandardHelpOptions = true)
  int rotate(
      @Option(names = LEAVE, description = "also when members don't trust the new root yet")
          boolean leaveBehind,
      @Mixin OutputOptions output) {
    Ca ca =
        context.ask(client ->
            client.ca().rotateCa(RotateCaRequest.newBuilder().setLeaveBehind(leaveBehind).build()));
    return print(ca, output);
  }

  @Command(
      name = "finish",
      header = "Ends a change: the other root is trusted no more.",
      description =
          "Refused while members have no certificate of the present CA, with their names. Those"
              + " that are left behind get in again with the key that they have.",
      mixinStandardHelpOptions = true)
  int finish(
      @Option(names = LEAVE, description = "also when members would be left behind")
          boolean leaveBehind,
      @Mixin OutputOptions output) {
    Ca ca =
        context.ask(client ->
            client
                .ca()
                .finishCaRotation(
                    FinishCaRotationRequest.newBuilder().setLeaveBehind(leaveBehind).build()));
    return print(ca, output);
  }

  @Command(
      name = "rollback",
      header = "Takes a change back, as long as it is not finished.",
      description =
          "Certificates are issued under the old root again; once all members have one, finish ends"
              + " it.",
      mixinStandardHelpOptions = true)
  int rollback(@Mixin OutputOptions output) {
    Ca ca =
        context.ask(client ->
            client.ca().rollBackCaRotation(RollBackCaRotationRequest.getDefaultInstance()));
    return print(ca, output);
  }

  @Command(
      name = "revoke-directive-key",
      header = "Revokes the key that signs this manager's directives; it makes another one.",
      mixinStandardHelpOptions = true)
  int revokeDirectiveKey(
      @Option(names = "--reason", defaultValue = "", description = "for the record")
          String reason) {
    long number =
        context.ask(client ->
            client
                .ca()
                .revokeDirectiveKey(
                    RevokeDirectiveKeyRequest.newBuilder().setReason(reason).build())
                .getRevocationListNumber());
    context.say(
        "The key is revoked (revocation list %d); directives are signed with another one."
            .formatted(number));
    return ExitCodes.OK;
  }

  private int print(Ca ca, OutputOptions output) {
    if (!output.isTable()) {
      output.print(ca, context.out());
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var sheet = new Sheet(context.out());
    sheet.line("Phase", phase(ca));
    sheet.line("Since", ca.getSinceMs() == 0 ? "" : Times.ago(ca.getSinceMs(), now));
    sheet.line("Root", root(ca.getRoot(), now));
    if (ca.hasOther()) {
      sheet.line(
          ca.getPhase().equals("announced") ? "New root" : "Root to go", root(ca.getOther(), now));
    }
    sheet.line("Issuing CA ends", Times.until(ca.getIssuingEndsMs(), now));
    sheet.line("Manager's certificate ends", Times.until(ca.getManagerCertificateEndsMs(), now));
    sheet.line(
        "Trust",
        "%d of %d members trust the %sroot"
            .formatted(
                ca.getTrusting(), ca.getMembers(), ca.getPhase().equals("steady") ? "" : "new "));
    sheet.line(
        "Certificates",
        "%d of %d members have one of the present CA"
            .formatted(ca.getCertified(), ca.getMembers()));
    if (ca.getLeftBehindCount() > 0) {
      context.say("");
      var table = new Table("LEFT BEHIND", "ROLE", "LAST SEEN", "LACKS");
      for (CaMember member : ca.getLeftBehindList()) {
        table.row(
            member.getName(),
            Text.label(member.getRole(), "ROLE_"),
            Times.ago(member.getLastSeenMs(), now),
            member.getLacks());
      }
      table.print(context.out());
    }
    return ExitCodes.OK;
  }

  private static String phase(Ca ca) {
    return switch (ca.getPhase()) {
      case "steady" -> "steady: one root, no change under way";
      case "announced" -> "announced: members are told of the new root";
      case "reissuing" -> "reissuing: members get certificates under the new root";
      case "rolling-back" -> "rolling-back: members get certificates under the old root again";
      default -> ca.getPhase();
    };
  }

  private static String root(CaRoot root, Instant now) {
    return root.getFingerprint() + ", ends " + Times.until(root.getEndsMs(), now);
  }
}
