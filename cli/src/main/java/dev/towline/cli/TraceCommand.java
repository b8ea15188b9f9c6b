package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.HostTrace;
import dev.towline.proto.v1.TraceHop;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Every hop between a host and the manager. */
@Command(
    name = "trace",
    header = "Shows every hop of a host's path with its round-trip time.",
    description = {
      "ROUND TRIP is from the manager to the hop and back. LEG is from the hop to the next one",
      "towards the manager and back: measured, or, with ~, the difference of two round trips."
    },
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = "  towline trace web-1")
final class TraceCommand implements Callable<Integer> {
  private final CliContext context;

  @Parameters(paramLabel = "HOST", description = "name or id")
  private String host = "";

  @Mixin private OutputOptions output = new OutputOptions();

  TraceCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    HostTrace trace =
        context.ask(client ->
            client.hosts().getHostTrace(GetHostRequest.newBuilder().setHost(host).build()));
    if (!output.isTable()) {
      output.print(trace, context.out());
      return ExitCodes.OK;
    }
    var table = new Table("HOP", "NAME", "COMES FROM", "ROUND TRIP", "LEG", "TLS", "PROBLEM");
    for (TraceHop hop : trace.getHopsList()) {
      table.row(
          Text.label(hop.getRole(), "ROLE_"),
          hop.getName(),
          hop.getAddress(),
          RelaySheet.millis(hop.getRoundTripUs()),
          hop.getLegUs() == 0
              ? ""
              : (hop.getLegMeasured() ? "" : "~") + RelaySheet.millis(hop.getLegUs()),
          hop.getTls(),
          hop.getProblem());
    }
    table.print(context.out());
    return trace.getHopsList().stream().allMatch(hop -> hop.getProblem().isEmpty())
        ? ExitCodes.OK
        : ExitCodes.FAILED;
  }
}
