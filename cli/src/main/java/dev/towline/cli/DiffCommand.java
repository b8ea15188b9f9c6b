package dev.towline.cli;

import dev.towline.cli.login.AdminClient;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.PolicyDocument;
import picocli.CommandLine.Command;

@Command(
    name = "diff",
    header = "Shows what towline apply would change, and on which hosts.",
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {"  towline policies export > policies.yaml", "  towline diff -f policies.yaml"})
final class DiffCommand extends PolicyFileCommand {
  DiffCommand(CliContext context) {
    super(context, true);
  }

  @Override
  PolicyChange ask(AdminClient client, PolicyDocument document) {
    return client.policies().getPolicyDiff(document);
  }
}
