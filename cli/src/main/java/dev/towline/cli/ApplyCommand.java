package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.proto.v1.PolicyChange;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "apply",
    header = "Makes policies as a YAML document says; what it does not name stays.",
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {"  towline policies export > policies.yaml", "  towline apply -f policies.yaml"})
final class ApplyCommand implements Callable<Integer> {
  private final CliContext context;

  @Option(
      names = {"-f", "--file"},
      required = true,
      paramLabel = "FILE",
      description = "the document; - is standard input")
  private String file = "";

  @Mixin private OutputOptions output = new OutputOptions();

  ApplyCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    PolicyChange change;
    try (var client = context.connect()) {
      change = client.policies().applyPolicies(PolicyFiles.read(file));
    }
    if (output.isTable()) {
      PolicyChanges.print(change, context.out(), false);
    } else {
      output.print(change, context.out());
    }
    return ExitCodes.OK;
  }
}
