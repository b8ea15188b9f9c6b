package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.CancelActionRequest;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.ListActionsRequest;
import dev.towline.proto.v1.ListActionsResponse;
import dev.towline.runtime.program.CommandGroup;
import java.time.Instant;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "actions",
    header = "Shows and cancels actions.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND")
final class ActionsCommand extends CommandGroup {
  private static final int LONGEST_COMMAND = 80;

  private final CliContext context;

  ActionsCommand(CliContext context) {
    this.context = context;
  }

  @Command(name = "list", header = "Lists actions, newest first.", mixinStandardHelpOptions = true)
  int list(
      @Option(names = "--limit", defaultValue = "20", description = "default: 20") int limit,
      @Mixin OutputOptions output) {
    ListActionsResponse actions =
        context.ask(client ->
            client
                .actions()
                .listActions(ListActionsRequest.newBuilder().setPageSize(limit).build()));
    if (!output.isTable()) {
      output.print(actions, context.out());
      return ExitCodes.OK;
    }
    if (actions.getActionsCount() == 0) {
      context.say("No actions yet. Run one: towline run --on all -- uname -a");
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var table = new Table("ID", "WHEN", "BY", "ON", "HOSTS", "COMMAND");
    for (Action action : actions.getActionsList()) {
      long ended = action.getTargetsList().stream().filter(ActionWatch::isEnded).count();
      table.row(
          action.getId(),
          Times.ago(action.getCreatedMs(), now),
          action.getCreatedBy(),
          action.getSelector(),
          ended + "/" + action.getTargetsCount() + " ended",
          Text.shortened(command(action), LONGEST_COMMAND));
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(
      name = "show",
      header = "Shows an action with the output of each host.",
      mixinStandardHelpOptions = true)
  int show(
      @Parameters(paramLabel = "ACTION", description = "id of the action") String id,
      @Mixin OutputOptions output) {
    Action action =
        context.ask(client ->
            client.actions().getAction(GetActionRequest.newBuilder().setAction(id).build()));
    print(action, output);
    return ExitCodes.OK;
  }

  @Command(
      name = "cancel",
      header = "Cancels an action on every host where it has not ended.",
      mixinStandardHelpOptions = true)
  int cancel(
      @Parameters(paramLabel = "ACTION", description = "id of the action") String id,
      @Mixin OutputOptions output) {
    Action action =
        context.ask(client ->
            client.actions().cancelAction(CancelActionRequest.newBuilder().setAction(id).build()));
    print(action, output);
    return ExitCodes.OK;
  }

  private void print(Action action, OutputOptions output) {
    if (!output.isTable()) {
      output.print(action, context.out());
      return;
    }
    var sheet = new Sheet(context.out());
    sheet.line("Action", action.getId());
    sheet.line("Command", command(action));
    sheet.line("On", action.getSelector());
    sheet.line("By", action.getCreatedBy());
    sheet.line("Created", Times.at(action.getCreatedMs()));
    sheet.line("Expires", Times.at(action.getExpiresMs()));
    for (ActionTarget target : action.getTargetsList()) {
      context.say("");
      String ending = ActionWatch.describe(target);
      context.say(
          Text.printable(target.getHostName()) + ": " + (ending.isEmpty() ? "succeeded" : ending));
      target
          .getOutput()
          .toStringUtf8()
          .lines()
          .forEach(line -> context.say("  " + Text.printable(line)));
    }
  }

  private static String command(Action action) {
    if (!action.getTitle().isEmpty()) {
      return "(" + action.getTitle() + ")";
    }
    return action.getNoOp() ? "(no-op)" : String.join(" ", action.getRun().getCommandList());
  }
}
