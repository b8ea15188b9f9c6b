package dev.towline.cli;

import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.proto.v1.RelayLink;
import dev.towline.proto.v1.RelaySetting;
import java.io.PrintStream;
import java.time.Instant;
import java.util.Locale;

/** One relay in full. */
final class RelaySheet {
  private RelaySheet() {}

  static void print(RelayInfo relay, Instant now, PrintStream out) {
    var sheet = new Sheet(out);
    sheet.line("Name", relay.getName());
    sheet.line("Id", relay.getId());
    sheet.line("State", Text.label(relay.getState(), "HOST_STATE_"));
    sheet.line("Version", relay.getVersion());
    sheet.line("Parents", String.join(", ", relay.getParentsList()));
    sheet.line("Children", String.join(", ", relay.getChildrenList()));
    sheet.line("Dialled at", relay.getDialAddress());
    sheet.line("Downstream", downstream(relay));
    sheet.line("Listening", String.join(", ", relay.getListeningList()));
    sheet.line("Last seen", Times.ago(relay.getLastSeenMs(), now));
    sheet.line("Not yet confirmed", String.join(", ", relay.getPendingList()));
    sheet.line("Reported", Times.ago(relay.getReportedMs(), now));
    if (relay.getConnectionsCount() == 0) {
      return;
    }
    out.println();
    var table =
        new Table(
            "CONNECTION",
            "STATE",
            "ADDRESS",
            "SINCE",
            "ROUND TRIP",
            "STREAMS",
            "STALLED",
            "RESERVE",
            "OPENED",
            "SENT",
            "RECEIVED",
            "LAST ERROR");
    for (RelayLink link : relay.getConnectionsList()) {
      table.row(
          (link.getToParent() ? "parent " : "child ") + link.getPeerName() + "#" + link.getIndex(),
          link.getState().toLowerCase(Locale.ROOT),
          link.getAddress(),
          Times.ago(link.getSinceMs(), now),
          millis(link.getRoundTripUs()),
          String.valueOf(link.getOpen()),
          String.valueOf(link.getStalled()),
          String.valueOf(link.getReserve()),
          String.valueOf(link.getOpened()),
          String.valueOf(link.getBytesSent()),
          String.valueOf(link.getBytesReceived()),
          link.getLastError());
    }
    table.print(out);
  }

  static void settings(RelayInfo relay, PrintStream out) {
    var table = new Table("SETTING", "VALUE", "ORIGIN");
    for (RelaySetting setting : relay.getSettingsList()) {
      table.row(setting.getKey(), setting.getValue(), setting.getOrigin());
    }
    table.print(out);
  }

  static String downstream(RelayInfo relay) {
    return relay.getDownstreamAddress().isEmpty()
        ? ""
        : "%s:%d,%d,%d"
            .formatted(
                relay.getDownstreamAddress(),
                relay.getSessionPort(),
                relay.getPublicPort(),
                relay.getUpdatesPort());
  }

  /** Milliseconds; empty when there are none. */
  static String millis(long micros) {
    return micros == 0 ? "" : String.format(Locale.ROOT, "%.2f ms", micros / 1000.0);
  }
}
