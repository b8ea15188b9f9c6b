package dev.towline.manager.alerts;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** An alert in the words of each route. */
final class AlertText {
  /** Facility log alert (13), severity warning (4) and notice (5); RFC 5424, 6.2.1. */
  private static final int RAISED = 13 * 8 + 4;

  private static final int CLEARED = 13 * 8 + 5;

  private AlertText() {}

  static String subject(Alert alert, String what) {
    return "%s: %s%s"
        .formatted(what, alert.kind().label(), alert.isSummary() ? "" : " " + alert.name());
  }

  static String line(Alert alert, String what) {
    return oneLine(
        alert.isSummary()
            ? "%s: %s".formatted(what, alert.message())
            : "%s: %s: %s (%s)"
                .formatted(what, alert.name(), alert.message(), alert.kind().label()));
  }

  static String json(Alert alert, String what, String fleet) {
    ObjectNode node = JsonMapper.shared().createObjectNode();
    node.put("fleet", fleet);
    node.put("id", alert.id());
    node.put("what", what);
    node.put("kind", alert.kind().label());
    node.put("host", alert.name());
    node.put("host_id", alert.subject());
    node.put("message", alert.message());
    node.put("times", alert.times());
    node.put("raised", Instant.ofEpochMilli(alert.raisedMs()).toString());
    return node.toString();
  }

  /** One RFC 5424 message. */
  static String syslog(Alert alert, String what, String fleet, String host, Instant now) {
    return "<%d>1 %s %s towline-manager - %s [towline@59999 id=\"%d\" fleet=\"%s\" host=\"%s\"] %s"
        .formatted(
            what.equals("raised") ? RAISED : CLEARED,
            now.truncatedTo(ChronoUnit.MILLIS),
            printable(host),
            alert.kind().label(),
            alert.id(),
            escaped(fleet),
            escaped(alert.name()),
            line(alert, what));
  }

  /** Names come from hosts: they must not end the message or begin another one. */
  static String oneLine(String text) {
    return text.replaceAll("\\p{Cntrl}", " ");
  }

  private static String printable(String host) {
    String name = host.replaceAll("[^\\x21-\\x7e]", "");
    return name.isEmpty() ? "-" : name;
  }

  private static String escaped(String value) {
    return oneLine(value).replace("\\", "\\\\").replace("\"", "\\\"").replace("]", "\\]");
  }
}
