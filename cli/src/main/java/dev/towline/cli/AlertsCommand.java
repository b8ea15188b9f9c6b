package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.Alert;
import dev.towline.proto.v1.AlertRoute;
import dev.towline.proto.v1.ClearAlertRequest;
import dev.towline.proto.v1.DeleteAlertRouteRequest;
import dev.towline.proto.v1.GetAlertRequest;
import dev.towline.proto.v1.ListAlertRoutesRequest;
import dev.towline.proto.v1.ListAlertRoutesResponse;
import dev.towline.proto.v1.ListAlertsRequest;
import dev.towline.proto.v1.ListAlertsResponse;
import dev.towline.proto.v1.SetAlertRouteRequest;
import dev.towline.runtime.program.CommandGroup;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "alerts",
    header = "Shows and clears alerts, and says where they are told.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND")
final class AlertsCommand extends CommandGroup {
  private static final int PAGE = 500;

  private final CliContext context;

  AlertsCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "list",
      header = "Lists open alerts, newest first.",
      mixinStandardHelpOptions = true)
  int list(
      @Option(names = "--all", description = "also those that are cleared") boolean all,
      @Option(names = "--members", description = "also those that a summary stands for")
          boolean members,
      @Option(names = "--host", defaultValue = "", description = "of one host, by name or id")
          String host,
      @Mixin OutputOptions output) {
    ListAlertsResponse alerts =
        context.ask(client ->
            client
                .alerts()
                .listAlerts(
                    ListAlertsRequest.newBuilder()
                        .setAll(all)
                        .setMembers(members)
                        .setHost(host)
                        .setPageSize(PAGE)
                        .build()));
    if (!output.isTable()) {
      output.print(alerts, context.out());
      return ExitCodes.OK;
    }
    if (alerts.getAlertsCount() == 0) {
      context.say(all ? "No alerts." : "No open alerts.");
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var table = new Table("ID", "KIND", "HOST", "RAISED", "TIMES", "STATE", "MESSAGE");
    for (Alert alert : alerts.getAlertsList()) {
      table.row(
          Long.toString(alert.getId()),
          alert.getKind(),
          alert.getHostName(),
          Times.ago(alert.getRaisedMs(), now),
          Long.toString(alert.getTimes()),
          state(alert),
          alert.getMessage());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(name = "show", header = "Shows one alert in full.", mixinStandardHelpOptions = true)
  int show(
      @Parameters(paramLabel = "ID", description = "as the list shows it") long id,
      @Mixin OutputOptions output) {
    Alert alert =
        context.ask(
            client -> client.alerts().getAlert(GetAlertRequest.newBuilder().setAlert(id).build()));
    if (!output.isTable()) {
      output.print(alert, context.out());
      return ExitCodes.OK;
    }
    var sheet = new Sheet(context.out());
    sheet.line("Id", Long.toString(alert.getId()));
    sheet.line("Kind", alert.getKind());
    sheet.line("Host", (alert.getHostName() + " " + alert.getHostId()).strip());
    sheet.line("Message", alert.getMessage());
    sheet.line("Raised", Times.at(alert.getRaisedMs()));
    sheet.line("Last raised", Times.at(alert.getChangedMs()));
    sheet.line("Times", Long.toString(alert.getTimes()));
    sheet.line("State", state(alert));
    sheet.line("Cleared", alert.getClearedMs() == 0 ? "" : Times.at(alert.getClearedMs()));
    sheet.line("Summary", alert.getSummary() == 0 ? "" : Long.toString(alert.getSummary()));
    return ExitCodes.OK;
  }

  @Command(
      name = "clear",
      header = "Clears alerts by hand; a summary with all that it stands for.",
      mixinStandardHelpOptions = true)
  int clear(
      @Parameters(arity = "1..*", paramLabel = "ID", description = "as the list shows it")
          List<Long> ids) {
    try (var client = context.connect()) {
      for (long id : ids) {
        Alert alert =
            client.alerts().clearAlert(ClearAlertRequest.newBuilder().setAlert(id).build());
        context.say("Alert " + alert.getId() + " is " + state(alert) + ".");
      }
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "routes",
      header = "Lists where alerts are told.",
      mixinStandardHelpOptions = true)
  int routes(@Mixin OutputOptions output) {
    ListAlertRoutesResponse routes =
        context.ask(
            client -> client.alerts().listAlertRoutes(ListAlertRoutesRequest.getDefaultInstance()));
    if (!output.isTable()) {
      output.print(routes, context.out());
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var table = new Table("NAME", "TARGET", "LAST TOLD", "PROBLEM");
    for (AlertRoute route : routes.getRoutesList()) {
      table.row(
          route.getName(),
          route.getTarget(),
          Times.ago(route.getLastSentMs(), now),
          route.getLastError());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(
      name = "route",
      header = "Says where alerts are told: a webhook, mail or syslog.",
      mixinStandardHelpOptions = true,
      footerHeading = "%nExamples:%n",
      footer = {
        "  towline alerts route chat https://chat.example/hooks/1",
        "  towline alerts route mail 'smtps://towline@mail.example?from=a@b.example&to=c@b.example'"
            + " --password-file FILE",
        "  towline alerts route log syslog+udp://log.example:514"
      })
  int route(
      @Parameters(paramLabel = "NAME", description = "name of the route") String name,
      @Parameters(paramLabel = "TARGET", description = "URL") String target,
      @Option(
              names = "--password-file",
              description = "of the mail server, or the bearer token of the webhook")
          @Nullable Path passwordFile) {
    AlertRoute route =
        context.ask(client ->
            client
                .alerts()
                .setAlertRoute(
                    SetAlertRouteRequest.newBuilder()
                        .setName(name)
                        .setTarget(target)
                        .setPassword(
                            passwordFile == null ? "" : Passwords.read(context, passwordFile, ""))
                        .build()));
    context.say("Alerts are told to " + route.getTarget() + " from now on.");
    return ExitCodes.OK;
  }

  @Command(
      name = "delete-route",
      header = "Ends telling alerts there.",
      mixinStandardHelpOptions = true)
  int deleteRoute(@Parameters(paramLabel = "NAME", description = "name of the route") String name) {
    var _ =
        context.ask(client ->
            client
                .alerts()
                .deleteAlertRoute(DeleteAlertRouteRequest.newBuilder().setRoute(name).build()));
    context.say("Route " + name + " is deleted.");
    return ExitCodes.OK;
  }

  private static String state(Alert alert) {
    if (alert.getClearedMs() == 0) {
      return alert.getByHand() ? "open, to be cleared by hand" : "open";
    }
    return alert.getClearedBy().isEmpty()
        ? "cleared by itself"
        : "cleared by " + alert.getClearedBy();
  }
}
