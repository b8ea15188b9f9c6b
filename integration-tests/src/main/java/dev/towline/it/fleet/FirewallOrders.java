package dev.towline.it.fleet;

import dev.towline.cli.login.AdminClient;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.ControlHostFirewallRequest;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.Outcome;
import java.util.Iterator;

/** Orders to the firewall of a host, each followed to its end, without a process for each. */
public final class FirewallOrders {
  private final AdminClient admin;
  private final String host;

  public FirewallOrders(AdminClient admin, String host) {
    this.admin = admin;
    this.host = host;
  }

  /**
   * Returns what the host answered, when it did as it was told.
   *
   * @throws IllegalStateException with what became of it otherwise
   */
  public ActionTarget give(ControlFirewall order) {
    Action told =
        admin
            .hosts()
            .controlHostFirewall(
                ControlHostFirewallRequest.newBuilder().setHost(host).setOrder(order).build());
    Iterator<ActionEvent> events =
        admin
            .actionWatches()
            .watchAction(GetActionRequest.newBuilder().setAction(told.getId()).build());
    while (events.hasNext()) {
      ActionEvent event = events.next();
      if (event.hasEnded()) {
        ActionTarget target = event.getEnded().getTargets(0);
        if (target.getOutcome() != Outcome.OUTCOME_SUCCEEDED) {
          throw new IllegalStateException("firewall " + order.getOrder() + ": " + target);
        }
        return target;
      }
    }
    throw new IllegalStateException("the watch ended before the order");
  }
}
