package dev.towline.manager;

import dev.towline.manager.actions.Actions;
import dev.towline.manager.alerts.Alerts;
import dev.towline.manager.dialling.AgentDialer;
import dev.towline.manager.enrollment.EnrollmentTokens;
import dev.towline.manager.events.Events;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.groups.Groups;
import dev.towline.manager.heartbeat.Heartbeats;
import dev.towline.manager.logs.Logs;
import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.policies.Policies;
import dev.towline.manager.programs.ProgramInstalls;
import dev.towline.manager.proxies.ProxyClusters;
import dev.towline.manager.relays.Relays;
import dev.towline.manager.session.Sessions;
import dev.towline.manager.store.Store;
import dev.towline.manager.updates.Updates;
import java.security.SecureRandom;
import java.time.Clock;

/** What the faces of a manager (admin API, console, public server) stand on. */
public record ManagerServices(
    ManagerConfig config,
    Clock clock,
    SecureRandom random,
    Store store,
    Fleet fleet,
    Hosts hosts,
    EnrollmentTokens tokens,
    Actions actions,
    ProxyClusters proxyClusters,
    Groups groups,
    Policies policies,
    Heartbeats heartbeats,
    AgentDialer dialer,
    Alerts alerts,
    Relays relays,
    ProgramInstalls programs,
    Updates updates,
    Events events,
    Logs logs,
    Sessions sessions) {}
