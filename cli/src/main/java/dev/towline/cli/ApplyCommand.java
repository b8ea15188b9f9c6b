package dev.towline.cli;

import dev.towline.cli.login.AdminClient;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.PolicyDocument;
import picocli.CommandLine.Command;

@Command(
    name = "apply",
    header = "Makes policies as a YAML document says; what it does not name stays.",
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {"  towline policies export > policies.yaml", "  towline apply -f policies.yaml"})
final class ApplyCommand extends PolicyFileCommand {
  ApplyCommand(CliContext context) {
    super(context, false);
  }

  @Override
  PolicyChange ask(AdminClient client, PolicyDocument document) {
    return client.policies().applyPolicies(document);
  }
}
