package dev.towline.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.telemetry.BuildInfo;
import io.grpc.StatusRuntimeException;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The root of all commands. */
@Command(
    name = "towline",
    header = "Operates a Towline fleet.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline login https://manager.example:8444",
      "  towline install-command create --os linux --group web --expires 24h",
      "  towline hosts list",
      "  towline run --on group=web -- uname -a",
      "",
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused or not signed in,",
      "4 no host matches, 5 not every host has ended.",
      "Settings: TOWLINE_CONFIG_DIR, TOWLINE_URL, TOWLINE_TOKEN, TOWLINE_CA_FINGERPRINT."
    })
final class TowlineCommand implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--debug",
      scope = CommandLine.ScopeType.INHERIT,
      description = "show where an error comes from")
  private boolean debug;

  private TowlineCommand() {}

  /** Runs one command line and gives its exit code. */
  static int run(CliContext context, String... args) {
    return commandLine(context).execute(args);
  }

  static CommandLine commandLine(CliContext context) {
    var root = new TowlineCommand();
    var line = new CommandLine(root);
    line.addSubcommand(new LoginCommand(context))
        .addSubcommand(new LogoutCommand(context))
        .addSubcommand(new PasswordCommand(context))
        .addSubcommand(new HostsCommand(context))
        .addSubcommand(new CommandLine(new RunCommand(context)).setStopAtPositional(true))
        .addSubcommand(new GroupsCommand(context))
        .addSubcommand(new PoliciesCommand(context))
        .addSubcommand(new AlertsCommand(context))
        .addSubcommand(new ApplyCommand(context))
        .addSubcommand(new DiffCommand(context))
        .addSubcommand(new ActionsCommand(context))
        .addSubcommand(new InstallCommandCommand(context))
        .addSubcommand(
            new CommandLine(new ProxiesCommand(context))
                .addSubcommand(new SendingPolicyCommand(context)))
        .addSubcommand(new RelaysCommand(context))
        .addSubcommand(new TraceCommand(context))
        .addSubcommand(new CaCommand(context))
        .addSubcommand(new LogsCommand(context))
        .addSubcommand(new FirewallCommand(context))
        .addSubcommand(new UpdatesCommand(context))
        .addSubcommand(new EventsCommand(context))
        .addSubcommand(new CompletionCommand(context));
    line.setOut(new PrintWriter(context.out(), true, UTF_8));
    line.setErr(new PrintWriter(context.err(), true, UTF_8));
    line.setParameterExceptionHandler(usageErrors());
    line.setExecutionExceptionHandler((e, _, _) -> {
      TowlineException known = known(e, context);
      context.err().println("error: " + known.getMessage());
      if (!known.remedy().isEmpty()) {
        context.err().println("  try: " + known.remedy());
      }
      if (root.debug) {
        known.printStackTrace(context.err());
      }
      return Errors.exitCode(known);
    });
    return line;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "no command given");
  }

  private static TowlineException known(Exception e, CliContext context) {
    return switch (e) {
      case TowlineException known -> known;
      case StatusRuntimeException status -> Errors.ofStatus(status, urlOf(context));
      default ->
          new TowlineException(
              Errors.UNEXPECTED,
              "unexpected failure: " + e,
              "run it again with --debug and report what it shows",
              e);
    };
  }

  private static String urlOf(CliContext context) {
    try {
      return context.login().url();
    } catch (TowlineException _) {
      return "the given address";
    }
  }

  private static IParameterExceptionHandler usageErrors() {
    return (e, _) -> {
      CommandLine command = e.getCommandLine();
      PrintWriter err = command.getErr();
      err.println("error: " + e.getMessage());
      if (!UnmatchedArgumentException.printSuggestions(e, err)) {
        err.println("  try: " + command.getCommandSpec().qualifiedName() + " --help");
      }
      return ExitCodes.USAGE;
    };
  }
}
