package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.proto.v1.PolicyChange;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "diff",
    header = "Shows what towline apply would change, and on which hosts.",
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {"  towline policies export > policies.yaml", "  towline diff -f policies.yaml"})
final class DiffCommand implements Callable<Integer> {
  private final CliContext context;

  @Option(
      names = {"-f", "--file"},
      required = true,
      paramLabel = "FILE",
      description = "the document; - is standard input")
  private String file = "";

  @Mixin private OutputOptions output = new OutputOptions();

  DiffCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    PolicyChange change;
    try (var client = context.connect()) {
      change = client.policies().getPolicyDiff(PolicyFiles.read(file));
    }
    if (output.isTable()) {
      PolicyChanges.print(change, context.out(), true);
    } else {
      output.print(change, context.out());
    }
    return ExitCodes.OK;
  }
}
