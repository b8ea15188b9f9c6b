package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.runtime.error.TowlineException;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "completion",
    header = "Prints the completion script of a shell.",
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  source <(towline completion bash)",
      "  towline completion bash > /etc/bash_completion.d/towline"
    })
final class CompletionCommand implements Callable<Integer> {
  private final CliContext context;

  @Parameters(paramLabel = "SHELL", description = "bash (also works in zsh)")
  private String shell = "";

  CompletionCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    if (!shell.equals("bash") && !shell.equals("zsh")) {
      throw new TowlineException(
          Errors.USAGE, "shell: " + shell + " (expected: bash or zsh)", "towline completion bash");
    }
    context.say(AutoComplete.bash("towline", TowlineCommand.commandLine(context)));
    return ExitCodes.OK;
  }
}
