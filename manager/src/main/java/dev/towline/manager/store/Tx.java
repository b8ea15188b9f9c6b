package dev.towline.manager.store;

import dev.towline.manager.access.UserStore;
import dev.towline.manager.actions.ActionStore;
import dev.towline.manager.alerts.AlertRouteStore;
import dev.towline.manager.alerts.AlertStore;
import dev.towline.manager.directives.DirectiveStore;
import dev.towline.manager.enrollment.TokenStore;
import dev.towline.manager.events.EventStore;
import dev.towline.manager.fleet.FleetStateStore;
import dev.towline.manager.fleet.TrustStore;
import dev.towline.manager.groups.GroupStore;
import dev.towline.manager.heartbeat.HeartbeatStore;
import dev.towline.manager.install.ScriptStore;
import dev.towline.manager.logs.LogStore;
import dev.towline.manager.nodes.NodeStore;
import dev.towline.manager.policies.PolicyStore;
import dev.towline.manager.proxies.ProxyClusterStore;
import dev.towline.manager.proxies.ProxyUpgradeStore;
import dev.towline.manager.relays.RelayStore;
import dev.towline.manager.sending.SendingStore;
import dev.towline.manager.session.ResultPartStore;
import dev.towline.manager.session.SessionStore;

/** The stores within one transaction; not to be kept beyond it. */
public interface Tx {
  NodeStore nodes();

  TokenStore tokens();

  SessionStore sessions();

  DirectiveStore directives();

  ActionStore actions();

  EventStore events();

  ProxyClusterStore proxyClusters();

  ProxyUpgradeStore proxyUpgrades();

  GroupStore groups();

  HeartbeatStore heartbeats();

  AlertStore alerts();

  AlertRouteStore alertRoutes();

  PolicyStore policies();

  RelayStore relays();

  FleetStateStore fleet();

  UserStore users();

  ScriptStore scripts();

  LogStore logs();

  SendingStore sending();

  TrustStore trust();

  ResultPartStore resultParts();
}
