package dev.towline.manager.store.sql;

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
import dev.towline.manager.store.Tx;
import org.jdbi.v3.core.Handle;

/** The stores over one connection. */
final class SqlTx implements Tx {
  private final Handle handle;

  SqlTx(Handle handle) {
    this.handle = handle;
  }

  @Override
  public NodeStore nodes() {
    return new SqlNodeStore(handle);
  }

  @Override
  public TokenStore tokens() {
    return new SqlTokenStore(handle);
  }

  @Override
  public SessionStore sessions() {
    return new SqlSessionStore(handle);
  }

  @Override
  public DirectiveStore directives() {
    return new SqlDirectiveStore(handle);
  }

  @Override
  public ActionStore actions() {
    return new SqlActionStore(handle);
  }

  @Override
  public EventStore events() {
    return new SqlEventStore(handle);
  }

  @Override
  public ProxyClusterStore proxyClusters() {
    return new SqlProxyClusterStore(handle);
  }

  @Override
  public ProxyUpgradeStore proxyUpgrades() {
    return new SqlProxyUpgradeStore(handle);
  }

  @Override
  public GroupStore groups() {
    return new SqlGroupStore(handle);
  }

  @Override
  public HeartbeatStore heartbeats() {
    return new SqlHeartbeatStore(handle);
  }

  @Override
  public AlertStore alerts() {
    return new SqlAlertStore(handle);
  }

  @Override
  public AlertRouteStore alertRoutes() {
    return new SqlAlertRouteStore(handle);
  }

  @Override
  public PolicyStore policies() {
    return new SqlPolicyStore(handle);
  }

  @Override
  public RelayStore relays() {
    return new SqlRelayStore(handle);
  }

  @Override
  public FleetStateStore fleet() {
    return new SqlFleetStateStore(handle);
  }

  @Override
  public ResultPartStore resultParts() {
    return new SqlResultPartStore(handle);
  }

  @Override
  public UserStore users() {
    return new SqlUserStore(handle);
  }

  @Override
  public ScriptStore scripts() {
    return new SqlScriptStore(handle);
  }

  @Override
  public LogStore logs() {
    return new SqlLogStore(handle);
  }

  @Override
  public SendingStore sending() {
    return new SqlSendingStore(handle);
  }

  @Override
  public TrustStore trust() {
    return new SqlTrustStore(handle);
  }
}
