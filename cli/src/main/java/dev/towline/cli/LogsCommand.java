package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.HostLog;
import dev.towline.proto.v1.ListLogsRequest;
import dev.towline.proto.v1.ListLogsResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "logs",
    header = "Shows what a host logged: its agent, and the files it is set to report.",
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline logs web-1",
      "  towline logs web-1 --level WARN --since 2h",
      "  towline logs web-1 --source /var/log/syslog --limit 500 -o json",
      "  towline logs web-1 --counters"
    })
final class LogsCommand implements Callable<Integer> {
  private final CliContext context;

  @Parameters(paramLabel = "HOST", description = "name or id of the host")
  private String host = "";

  @Option(
      names = "--level",
      paramLabel = "LEVEL",
      defaultValue = "",
      description = "this level and above: DEBUG, INFO, WARN, ERROR (default: all)")
  private String level = "";

  @Option(
      names = "--source",
      paramLabel = "PREFIX",
      defaultValue = "",
      description = "only what begins with this: towline-agent, or a file's path")
  private String source = "";

  @Option(
      names = "--since",
      paramLabel = "DURATION",
      converter = Durations.class,
      description = "only what was written since so long, for instance 2h")
  private @Nullable Duration since;

  @Option(names = "--counters", description = "records of counters instead of log records")
  private boolean counters;

  @Option(names = "--limit", defaultValue = "50", description = "default: 50; at most 1000")
  private int limit = 50;

  @Mixin private OutputOptions output = new OutputOptions();

  LogsCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    ListLogsResponse logs =
        context.ask(client ->
            client
                .logs()
                .listLogs(
                    ListLogsRequest.newBuilder()
                        .setHost(host)
                        .setLevel(level)
                        .setSource(source)
                        .setSinceMs(
                            since == null
                                ? 0
                                : context.clock().instant().minus(since).toEpochMilli())
                        .setCounters(counters)
                        .setPageSize(limit)
                        .build()));
    if (!output.isTable()) {
      output.print(logs, context.out());
      return ExitCodes.OK;
    }
    if (logs.getLogsCount() == 0) {
      context.say("No logs.");
      return ExitCodes.OK;
    }
    var table = new Table("TIME", "LEVEL", "SOURCE", "MESSAGE");
    // As in a file: the newest comes last.
    for (HostLog log : List.copyOf(logs.getLogsList()).reversed()) {
      table.row(Times.at(log.getTimeMs()), log.getLevel(), log.getSource(), message(log));
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  private static String message(HostLog log) {
    Map<String, Long> sorted = new TreeMap<>(log.getCountersMap());
    String counters =
        sorted.entrySet().stream()
            .map(entry -> entry.getKey() + "=" + entry.getValue())
            .collect(Collectors.joining(" "));
    String code = log.getCode().isEmpty() ? "" : log.getCode() + ": ";
    return counters.isEmpty() ? code + log.getMessage() : counters;
  }
}
