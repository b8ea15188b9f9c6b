package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.Durations;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Text;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.RunActionRequest;
import dev.towline.runtime.error.TowlineException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "run",
    header = "Runs a command on hosts and shows its output live.",
    description = {
      "The program is started without a shell, at most once on each host. For pipes and variables",
      "run a shell: -- sh -c 'df -h | tail -1'."
    },
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline run --on web-1 -- uname -a",
      "  towline run --on group=web,state=online --time-limit 5m -- apt-get update",
      "  towline run --on all --no-op",
      "",
      "Exit codes: 0 succeeded on every host, 1 failed on at least one, 4 no host matches,",
      "5 the wait was over before every host had ended."
    })
final class RunCommand implements Callable<Integer> {
  private final CliContext context;

  @Option(
      names = "--on",
      paramLabel = "SELECTOR",
      required = true,
      description = "a host name, 'all', or for instance group=web,state=online")
  private String selector = "";

  @Option(
      names = "--time-limit",
      paramLabel = "DURATION",
      defaultValue = "60s",
      converter = Durations.class,
      description = "the program is ended after this long (default: 60s)")
  private Duration timeLimit = Duration.ofSeconds(60);

  @Option(
      names = "--output-limit",
      paramLabel = "BYTES",
      defaultValue = "1048576",
      description = "output that is kept of each host (default: 1048576)")
  private long outputLimit;

  @Option(
      names = "--expires",
      paramLabel = "DURATION",
      defaultValue = "1h",
      converter = Durations.class,
      description = "hosts that are offline may start it for this long (default: 1h)")
  private Duration expires = Duration.ofHours(1);

  @Option(
      names = "--wait",
      paramLabel = "DURATION",
      converter = Durations.class,
      description = "stop watching after this long (default: until every host has ended)")
  private @Nullable Duration wait;

  @Option(
      names = "--env",
      paramLabel = "NAME=VALUE",
      description = "environment variable of the program; may be given several times")
  private Map<String, String> environment = new HashMap<>();

  @Option(
      names = "--directory",
      paramLabel = "DIR",
      defaultValue = "",
      description = "working directory of the program on the host")
  private String directory = "";

  @Option(names = "--no-op", description = "run nothing, only show that the way works")
  private boolean noOp;

  @Option(names = "--detach", description = "print the action's id and do not wait")
  private boolean detach;

  @Mixin private OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "COMMAND", arity = "0..*", description = "program and arguments")
  private List<String> command = List.of();

  RunCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    if (noOp != command.isEmpty()) {
      throw new TowlineException(
          Errors.USAGE,
          noOp ? "--no-op runs no command, but one was given" : "no command given",
          "towline run --on " + selector + (noOp ? " --no-op" : " -- COMMAND ARGUMENTS…"));
    }
    try (var client = context.connect()) {
      Action action = client.actions().runAction(request());
      if (detach) {
        if (output.isTable()) {
          context.say(action.getId());
        } else {
          output.print(action, context.out());
        }
        return ExitCodes.OK;
      }
      if (action.getTargetsCount() == 0) {
        throw new TowlineException(
            Errors.NO_HOST_MATCHES,
            "no host matches " + selector,
            "see what there is with: towline hosts list");
      }
      context
          .err()
          .println(
              "action " + action.getId() + " on " + Text.count(action.getTargetsCount(), "host"));
      var view = new ActionWatch(context, output.isTable());
      Action last = view.follow(client, action, wait);
      if (!output.isTable()) {
        output.print(last, context.out());
      }
      return view.summarize(last);
    }
  }

  private RunActionRequest request() {
    var request =
        RunActionRequest.newBuilder()
            .setSelector(selector)
            .setExpiresInMs(expires.toMillis())
            .setIdempotencyKey(java.util.UUID.randomUUID().toString());
    if (noOp) {
      return request.setNoOp(true).build();
    }
    return request
        .setRun(
            RunAction.newBuilder()
                .addAllCommand(command)
                .putAllEnvironment(environment)
                .setWorkingDirectory(directory)
                .setTimeLimitMs(timeLimit.toMillis())
                .setOutputLimitBytes(outputLimit))
        .build();
  }
}
