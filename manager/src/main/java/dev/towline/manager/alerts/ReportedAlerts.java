package dev.towline.manager.alerts;

import dev.towline.manager.store.Tx;
import java.util.List;
import java.util.Map;

/**
 * Events that agents report and that somebody has to look at (F6). Stateless; what it raises is
 * raised in the transaction that records the event.
 */
public final class ReportedAlerts {
  private static final Map<String, AlertKind> KINDS =
      Map.of("firewall.rolled_back", AlertKind.FIREWALL_ROLLED_BACK);

  private final Alerts alerts;

  public ReportedAlerts(Alerts alerts) {
    this.alerts = alerts;
  }

  /** An event that was not known before. */
  public void reported(Tx tx, String code, String host, String name, String detail) {
    AlertKind kind = KINDS.get(code);
    if (kind != null) {
      alerts.raise(tx, List.of(new Alerts.Wanted(kind, host, name, detail)));
    }
  }
}
