package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.login.AdminClient;
import dev.towline.cli.output.OutputOptions;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.PolicyDocument;
import java.util.concurrent.Callable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What {@code apply} and {@code diff} do alike: one changes, the other only says what it would. */
abstract class PolicyFileCommand implements Callable<Integer> {
  private final CliContext context;
  private final boolean dryRun;

  @Option(
      names = {"-f", "--file"},
      required = true,
      paramLabel = "FILE",
      description = "the document; - is standard input")
  private String file = "";

  @Mixin private OutputOptions output = new OutputOptions();

  PolicyFileCommand(CliContext context, boolean dryRun) {
    this.context = context;
    this.dryRun = dryRun;
  }

  abstract PolicyChange ask(AdminClient client, PolicyDocument document);

  @Override
  public Integer call() {
    PolicyChange change = context.ask(client -> ask(client, PolicyFiles.read(file)));
    if (output.isTable()) {
      PolicyChanges.print(change, context.out(), dryRun);
    } else {
      output.print(change, context.out());
    }
    return ExitCodes.OK;
  }
}
