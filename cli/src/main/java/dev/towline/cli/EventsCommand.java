package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.Event;
import dev.towline.proto.v1.ListEventsRequest;
import dev.towline.proto.v1.ListEventsResponse;
import dev.towline.runtime.program.CommandGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "events",
    header = "Shows what happened in the fleet.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND")
final class EventsCommand extends CommandGroup {
  private static final int LONGEST_DETAIL = 120;

  private final CliContext context;

  EventsCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "list",
      header = "Lists events, newest first.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = {
        "  towline events list",
        "  towline events list --code directive.forged",
        "  towline events list --host web-1 --limit 200 -o json"
      })
  int list(
      @Option(names = "--code", defaultValue = "", description = "only events of this code")
          String code,
      @Option(names = "--host", defaultValue = "", description = "only events about this host")
          String host,
      @Option(names = "--limit", defaultValue = "50", description = "default: 50") int limit,
      @Mixin OutputOptions output) {
    ListEventsResponse events =
        context.ask(client ->
            client
                .events()
                .listEvents(
                    ListEventsRequest.newBuilder()
                        .setCode(code)
                        .setHost(host)
                        .setPageSize(limit)
                        .build()));
    if (!output.isTable()) {
      output.print(events, context.out());
      return ExitCodes.OK;
    }
    if (events.getEventsCount() == 0) {
      context.say("No events.");
      return ExitCodes.OK;
    }
    var table = new Table("TIME", "CODE", "SUBJECT", "DETAIL", "REPORTED BY");
    for (Event event : events.getEventsList()) {
      table.row(
          Times.at(event.getTimeMs()),
          event.getCode(),
          event.getSubject(),
          Text.shortened(event.getDetail(), LONGEST_DETAIL),
          event.getReporter());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }
}
