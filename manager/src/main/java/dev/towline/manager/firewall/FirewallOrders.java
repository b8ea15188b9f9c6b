package dev.towline.manager.firewall;

import dev.towline.manager.actions.Actions;
import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.nodes.Node;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.HostState;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.firewall.FirewallDocument;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.SequencedMap;

/**
 * Tells the agents what their host's firewall shall do, as signed directives. Rules are checked
 * here, so that what no hook can do is refused while they are edited (F3). Safe for use by several
 * threads.
 */
public final class FirewallOrders {
  public static final ErrorCode FIREWALL_ORDER_INVALID = ErrorCode.user("FIREWALL_ORDER_INVALID");
  public static final ErrorCode HOST_NOT_TRUSTED = ErrorCode.user("HOST_NOT_TRUSTED");

  private static final Duration TAKE_UP = Duration.ofHours(1);

  private final Hosts hosts;
  private final Actions actions;

  public FirewallOrders(Hosts hosts, Actions actions) {
    this.hosts = hosts;
    this.actions = actions;
  }

  public Action tell(String host, ControlFirewall order, String by) {
    Node node = hosts.host(host);
    if (node.state() == HostState.HOST_STATE_REVOKED
        || node.state() == HostState.HOST_STATE_QUARANTINED) {
      throw new TowlineException(
          HOST_NOT_TRUSTED,
          "host: " + node.name() + " is revoked or in quarantine and takes no orders",
          "see towline hosts show " + node.name());
    }
    switch (order.getOrder()) {
      case SET -> {
        var _ = FirewallDocument.parse(order.getRules());
      }
      case OFF, SHOW, TEST -> {}
      case ORDER_UNSPECIFIED, UNRECOGNIZED ->
          throw new TowlineException(
              FIREWALL_ORDER_INVALID,
              "order: " + order.getOrderValue() + " (expected: SET, OFF, SHOW or TEST)",
              "correct it and try again");
    }
    return actions
        .order(
            "firewall %s on %s"
                .formatted(order.getOrder().name().toLowerCase(Locale.ROOT), node.name()),
            node.name(),
            by,
            TAKE_UP,
            _ -> {
              SequencedMap<String, DirectiveContent> told = new LinkedHashMap<>();
              told.put(node.id(), DirectiveContent.newBuilder().setControlFirewall(order).build());
              return told;
            })
        .orElseThrow();
  }
}
