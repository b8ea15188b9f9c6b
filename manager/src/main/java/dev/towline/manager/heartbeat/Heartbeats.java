package dev.towline.manager.heartbeat;

import dev.towline.manager.alerts.Alert;
import dev.towline.manager.alerts.AlertKind;
import dev.towline.manager.alerts.Alerts;
import dev.towline.manager.events.Events;
import dev.towline.manager.heartbeat.HeartbeatMonitor.Finding;
import dev.towline.manager.heartbeat.HeartbeatMonitor.Rules;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.policies.Catalogue;
import dev.towline.manager.policies.Policies;
import dev.towline.manager.policies.PolicyTree;
import dev.towline.manager.policies.Setting;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.HostReport;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.policy.SettingDuration;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes the heartbeats of hosts (H1), keeps what they said, and raises alerts for those that are
 * missing and for clocks that were set (H3-H5).
 *
 * <p>Lifecycle: {@link #start} reads what an earlier run knew; then {@link #flush} each second and
 * {@link #check} every few seconds.
 *
 * <p>Threading: safe for use by several threads; {@link #take} and {@link #ended} never wait for
 * the store. Failure: what can't be stored is tried again at the next turn.
 */
public final class Heartbeats {
  private static final Logger log = LoggerFactory.getLogger(Heartbeats.class);
  private static final String CLOCK_SET = "clock.set";
  private static final String WATCHING = "heartbeats.watching_ms";
  private static final long REFRESH_MS = Duration.ofSeconds(60).toMillis();
  private static final long OFFSET_NOISE_MS = 1000;

  private final Store store;
  private final Policies policies;
  private final Alerts alerts;
  private final Events events;
  private final InstantSource clock;
  private final Map<String, HostReport> reports = new ConcurrentHashMap<>();
  private final Map<String, HostReport> unsaved = new ConcurrentHashMap<>();
  private final Object gate = new Object();
  private HeartbeatMonitor monitor;
  private long refreshedMs;

  public Heartbeats(
      Store store, Policies policies, Alerts alerts, Events events, InstantSource clock) {
    this.store = store;
    this.policies = policies;
    this.alerts = alerts;
    this.events = events;
    this.clock = clock;
    this.monitor = new HeartbeatMonitor(new WatchedTime(0, clock.millis()));
  }

  public void start() {
    var _ = policies.tree();
    long now = clock.millis();
    long alive = store.read(tx -> tx.fleet().value(WATCHING).map(Long::parseLong).orElse(now));
    List<HeartbeatMonitor.Known> hosts = store.read(tx -> tx.heartbeats().hosts());
    List<Alert> standing = store.read(tx -> tx.alerts().standing());
    reports.putAll(store.read(tx -> tx.heartbeats().reports()));
    synchronized (gate) {
      monitor = new HeartbeatMonitor(new WatchedTime(alive, now));
      monitor.know(hosts);
      standing.stream()
          .filter(alert -> alert.kind().clearsItself() && alert.kind() != AlertKind.UPDATES_EXPIRE)
          .forEach(alert -> monitor.told(alert.subject(), alert.kind()));
      reports.forEach((id, report) -> monitor.said(id, Duration.ofMillis(report.getIntervalMs())));
      refreshedMs = now;
    }
  }

  /** A heartbeat of a host in session came. */
  public void take(String id, String name, Heartbeat heartbeat, long receivedMs) {
    String policy;
    synchronized (gate) {
      monitor.heartbeat(id, name, Duration.ofMillis(heartbeat.getIntervalMs()), receivedMs);
      policy = monitor.policyOf(id);
    }
    HostReport before = reports.get(id);
    ClockJudge.Verdict clockOfHost =
        ClockJudge.judge(
            heartbeat,
            receivedMs,
            before == null ? OptionalLong.empty() : OptionalLong.of(before.getClockOffsetMs()));
    HostReport now = merged(before, heartbeat, clockOfHost.offsetMs(), receivedMs);
    reports.put(id, now);
    if (before == null || isWorthSaving(before, now)) {
      unsaved.put(id, now);
    }
    if (heartbeat.getClockStepMs() != 0) {
      events.record(CLOCK_SET, id, step(heartbeat.getClockStepMs()));
    }
    clockSet(id, name, policy, clockOfHost.stepMs());
  }

  private static String step(long stepMs) {
    return "the clock was set %s by %d s"
        .formatted(stepMs > 0 ? "forward" : "back", Math.abs(stepMs) / 1000);
  }

  private void clockSet(String id, String name, String policy, long stepMs) {
    if (stepMs == 0) {
      return;
    }
    String allowed = policies.recentTree().value(id, policy, Catalogue.CLOCK_CHANGE);
    if (allowed.equals(Setting.UNLIMITED)
        || Math.abs(stepMs) <= Duration.ofMinutes(Long.parseLong(allowed)).toMillis()) {
      return;
    }
    var wanted =
        new Alerts.Wanted(
            AlertKind.CLOCK_CHANGED,
            id,
            name,
            "%s (more than %s min)".formatted(step(stepMs), allowed));
    var _ =
        store
            .write(tx -> {
              alerts.raise(tx, List.of(wanted));
              return id;
            })
            .exceptionally(e -> {
              log.error("alert of {} was not raised: {}", name, wanted.message(), e);
              return id;
            });
  }

  /** The session of a host ended. */
  public void ended(String id, Presence how) {
    synchronized (gate) {
      monitor.ended(id, how);
    }
  }

  /** A contact of the short-lived form is over; the host comes again by itself. */
  public void left(String id, long nextContactMs) {
    reports.computeIfPresent(
        id,
        (_, report) -> {
          HostReport now = report.toBuilder().setNextContactMs(nextContactMs).build();
          unsaved.put(id, now);
          return now;
        });
    ended(id, Presence.WAITING);
  }

  /** The host was reached at this port: it listens, whatever it says later. */
  public void reachedAt(String id, int port) {
    HostReport now =
        reports.compute(
            id,
            (_, report) ->
                (report == null ? HostReport.newBuilder() : report.toBuilder())
                    .setListenPort(port)
                    .build());
    unsaved.put(id, now);
  }

  /** Within the transaction that ends all trust in a host: nobody has to look after it any more. */
  public void forget(Tx tx, String id) {
    alerts.forget(tx, id);
  }

  /** After that transaction. */
  public void forgotten(String id) {
    synchronized (gate) {
      monitor.forget(id);
    }
    reports.remove(id);
    unsaved.remove(id);
  }

  /** What every host last said. Of hosts that were revoked too. */
  public Map<String, HostReport> reports() {
    return Collections.unmodifiableMap(reports);
  }

  /** What the host last said. */
  public Optional<HostReport> report(String id) {
    return Optional.ofNullable(reports.get(id));
  }

  /** Stores what is new since the last call, all hosts together. */
  public void flush() {
    if (unsaved.isEmpty()) {
      return;
    }
    Map<String, HostReport> batch = new HashMap<>();
    unsaved.forEach((id, report) -> {
      if (unsaved.remove(id, report)) {
        batch.put(id, report);
      }
    });
    try {
      store.commit(tx -> {
        tx.heartbeats().save(batch);
        return batch.size();
      });
    } catch (RuntimeException e) {
      batch.forEach(unsaved::putIfAbsent);
      throw e;
    }
  }

  /** Looks who is missing. */
  public void check() {
    long now = clock.millis();
    refresh(now);
    PolicyTree tree = policies.recentTree();
    List<Finding> findings;
    // Of thousands of hosts few have settings of their own.
    Map<String, Rules> ofPolicies = new HashMap<>();
    synchronized (gate) {
      findings =
          monitor.check(
              (host, policy) ->
                  tree.host(host).isPresent()
                      ? rules(tree, host, policy)
                      : ofPolicies.computeIfAbsent(policy, name -> rules(tree, host, name)),
              now);
    }
    try {
      store.commit(tx -> {
        tx.fleet().put(WATCHING, Long.toString(now));
        List<Alerts.Wanted> raised = new ArrayList<>();
        for (Finding finding : findings) {
          switch (finding) {
            case Finding.Raise(AlertKind kind, String id, String name, String message) ->
                raised.add(new Alerts.Wanted(kind, id, name, message));
            case Finding.Clear(AlertKind kind, String id) -> alerts.over(tx, kind, id);
          }
        }
        alerts.raise(tx, raised);
        return raised.size();
      });
    } catch (RuntimeException e) {
      synchronized (gate) {
        monitor.untold(findings);
      }
      throw e;
    }
  }

  private void refresh(long now) {
    if (Math.abs(now - refreshedMs) < REFRESH_MS) {
      return;
    }
    List<HeartbeatMonitor.Known> hosts = store.read(tx -> tx.heartbeats().hosts());
    synchronized (gate) {
      monitor.know(hosts);
      refreshedMs = now;
    }
  }

  private static Rules rules(PolicyTree tree, String host, String policy) {
    String missed = tree.value(host, policy, Catalogue.MISSED_BEFORE_ALERT);
    return new Rules(
        SettingDuration.parse(tree.value(host, policy, EffectivePolicy.HEARTBEAT_INTERVAL))
            .orElse(Duration.ofMinutes(1)),
        missed.equals(Setting.UNLIMITED)
            ? OptionalInt.empty()
            : OptionalInt.of(Integer.parseInt(missed)),
        tree.value(host, policy, Catalogue.ALERT_WHEN_SHUT_DOWN).equals("yes"));
  }

  /** Only what changed travels; the first of a session says everything. */
  private static HostReport merged(
      @Nullable HostReport before, Heartbeat heartbeat, long offsetMs, long receivedMs) {
    HostReport.Builder report =
        before == null || heartbeat.getNumber() == 1 ? HostReport.newBuilder() : before.toBuilder();
    if (heartbeat.getModulesCount() > 0) {
      Map<String, ModuleStatus> modules = new LinkedHashMap<>();
      report.getModulesList().forEach(module -> modules.put(module.getName(), module));
      heartbeat.getModulesList().forEach(module -> modules.put(module.getName(), module));
      report.clearModules().addAllModules(modules.values());
    }
    if (heartbeat.getCountersCount() > 0) {
      report.putAllCounters(heartbeat.getCountersMap());
    }
    report
        .setReceivedMs(receivedMs)
        .setClockOffsetMs(offsetMs)
        .setRoundTripMs(heartbeat.getRoundTripMs());
    if (heartbeat.getIntervalMs() > 0) {
      report.setIntervalMs(heartbeat.getIntervalMs());
    }
    if (!heartbeat.getDirection().isEmpty()) {
      report.setDirection(heartbeat.getDirection()).setListenPort(heartbeat.getListenPort());
    }
    if (heartbeat.hasUpdates()) {
      report.setUpdates(heartbeat.getUpdates());
    }
    report.clearNextContactMs();
    return report.build();
  }

  private static boolean isWorthSaving(HostReport before, HostReport now) {
    return Math.abs(before.getClockOffsetMs() - now.getClockOffsetMs()) > OFFSET_NOISE_MS
        || before.getIntervalMs() != now.getIntervalMs()
        || !before.getDirection().equals(now.getDirection())
        || before.getListenPort() != now.getListenPort()
        || !before.getUpdates().equals(now.getUpdates())
        || !before.getModulesList().equals(now.getModulesList())
        || !before.getCountersMap().equals(now.getCountersMap());
  }
}
