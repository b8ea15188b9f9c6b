package dev.towline.manager.session;

import dev.towline.manager.actions.Actions;
import dev.towline.manager.alerts.ReportedAlerts;
import dev.towline.manager.events.Events;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.fleet.Revoked;
import dev.towline.manager.heartbeat.Heartbeats;
import dev.towline.manager.logs.LogBatches;
import dev.towline.manager.policies.Policies;
import dev.towline.manager.relays.Relays;
import dev.towline.manager.sending.SendingPolicies;
import dev.towline.manager.store.Store;
import dev.towline.runtime.identity.PeerVerifier;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.Executor;

/**
 * What sessions stand on.
 *
 * @param executor runs each session's work, one thread at a time
 * @param calls takes what hosts say that want to be dialled
 * @param reconnectCap told to receivers as the cap of their backoff
 */
public record SessionServices(
    Store store,
    Fleet fleet,
    Revoked revoked,
    PeerVerifier verifier,
    Events events,
    Actions actions,
    Relays relays,
    LogBatches logBatches,
    SendingPolicies sending,
    Policies policies,
    Heartbeats heartbeats,
    ReportedAlerts reportedAlerts,
    Departures departures,
    SessionRegistry registry,
    CallDesk calls,
    Clones clones,
    InstantSource clock,
    Executor executor,
    Duration heartbeatInterval,
    Duration reconnectCap) {}
