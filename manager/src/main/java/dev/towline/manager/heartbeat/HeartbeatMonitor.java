package dev.towline.manager.heartbeat;

import dev.towline.manager.alerts.AlertKind;
import dev.towline.manager.nodes.Presence;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Who has missed too many heartbeats (H3, H5), without clock and store: times go in, findings come
 * out. With three that may be missed, the fourth one missing is a finding.
 *
 * <p>Threading: its owner's. Times are milliseconds since 1970.
 */
public final class HeartbeatMonitor {
  /** How late a heartbeat may be before it counts as missed. */
  static final Duration GRACE = Duration.ofSeconds(2);

  private final Map<String, Watched> hosts = new HashMap<>();
  private final WatchedTime watch;

  /**
   * What the policies say about a host.
   *
   * @param missedBeforeAlert empty: unlimited
   */
  record Rules(Duration interval, OptionalInt missedBeforeAlert, boolean alertWhenShutDown) {}

  /** Where the rules come from. */
  @FunctionalInterface
  interface RuleBook {
    Rules of(String host, String policy);
  }

  /** A host as the store has it. */
  public record Known(String id, String name, String policy, Presence presence, long lastMs) {}

  /** Something to tell. */
  sealed interface Finding {
    record Raise(AlertKind kind, String host, String name, String message) implements Finding {}

    record Clear(AlertKind kind, String host) implements Finding {}
  }

  private static final class Watched {
    private String name = "";
    private String policy = "";
    private Presence presence = Presence.NEW;
    private long lastMs;
    private Duration interval = Duration.ZERO;
    private Optional<AlertKind> told = Optional.empty();
  }

  HeartbeatMonitor(WatchedTime watch) {
    this.watch = watch;
  }

  /** Takes over what the store has; hosts that are not among them are not watched any more. */
  void know(Collection<Known> all) {
    Set<String> ids = new HashSet<>();
    for (Known known : all) {
      ids.add(known.id());
      Watched host = hosts.get(known.id());
      if (host == null) {
        host = new Watched();
        // Of one that was here, more is known than the store may have yet.
        host.lastMs = known.lastMs();
        host.presence = known.presence();
        hosts.put(known.id(), host);
      }
      host.name = known.name();
      host.policy = known.policy();
    }
    hosts.keySet().retainAll(ids);
  }

  /** This was told before and still stands. */
  void told(String id, AlertKind kind) {
    Watched host = hosts.get(id);
    if (host != null) {
      host.told = Optional.of(kind);
    }
  }

  /**
   * @param interval until the next one, as the host says; zero when it does not
   */
  void heartbeat(String id, String name, Duration interval, long nowMs) {
    Watched host = hosts.computeIfAbsent(id, _ -> new Watched());
    host.name = name;
    host.presence = Presence.ONLINE;
    host.lastMs = nowMs;
    if (!interval.isZero()) {
      host.interval = interval;
    }
  }

  /** What it said before about the time between its heartbeats. */
  void said(String id, Duration interval) {
    Watched host = hosts.get(id);
    if (host != null) {
      host.interval = interval;
    }
  }

  /** Its session ended: by a goodbye of the agent or the host, or it was lost. */
  void ended(String id, Presence how) {
    Watched host = hosts.get(id);
    if (host != null) {
      host.presence = how;
    }
  }

  /** Nobody waits for it any more. */
  void forget(String id) {
    hosts.remove(id);
  }

  List<Finding> check(RuleBook rules, long nowMs) {
    watch.look(nowMs);
    boolean settled = watch.settled(nowMs);
    List<Finding> findings = new ArrayList<>();
    hosts.forEach((id, host) -> {
      Rules own = rules.of(id, host.policy);
      Optional<AlertKind> wanted =
          host.presence == Presence.NEW ? Optional.empty() : wanted(host, own, nowMs);
      if (wanted.equals(host.told) || (wanted.isPresent() && !settled)) {
        return;
      }
      host.told.ifPresent(kind -> findings.add(new Finding.Clear(kind, id)));
      wanted.ifPresent(kind ->
          findings.add(new Finding.Raise(kind, id, host.name, message(kind, host, own, nowMs))));
      host.told = wanted;
    });
    return findings;
  }

  /** A finding could not be stored: it is found again. */
  void untold(List<Finding> findings) {
    for (Finding finding : findings) {
      switch (finding) {
        case Finding.Raise(_, String id, _, _) -> {
          Watched host = hosts.get(id);
          if (host != null) {
            host.told = Optional.empty();
          }
        }
        case Finding.Clear(AlertKind kind, String id) -> {
          Watched host = hosts.get(id);
          if (host != null && host.told.isEmpty()) {
            host.told = Optional.of(kind);
          }
        }
      }
    }
  }

  String policyOf(String id) {
    Watched host = hosts.get(id);
    return host == null ? "" : host.policy;
  }

  private Optional<AlertKind> wanted(Watched host, Rules rules, long nowMs) {
    if (rules.missedBeforeAlert().isEmpty()) {
      return Optional.empty();
    }
    Duration interval = interval(host, rules);
    Duration limit = interval.multipliedBy(rules.missedBeforeAlert().getAsInt() + 1L).plus(GRACE);
    if (watch.since(host.lastMs, nowMs).compareTo(limit) < 0) {
      return Optional.empty();
    }
    return switch (host.presence) {
      case SHUT_DOWN ->
          rules.alertWhenShutDown() ? Optional.of(AlertKind.HOST_SHUT_DOWN) : Optional.empty();
      case STOPPED -> Optional.of(AlertKind.AGENT_STOPPED);
      case UNINSTALLED -> Optional.empty();
      case ONLINE, OFFLINE, WAITING, NEW -> Optional.of(AlertKind.HEARTBEATS_MISSED);
    };
  }

  /** The host may not have heard yet that it shall be faster. */
  private static Duration interval(Watched host, Rules rules) {
    return host.interval.compareTo(rules.interval()) > 0 ? host.interval : rules.interval();
  }

  private String message(AlertKind kind, Watched host, Rules rules, long nowMs) {
    Duration silent = watch.since(host.lastMs, nowMs);
    Duration interval = interval(host, rules);
    return switch (kind) {
      case HOST_SHUT_DOWN -> "the host was shut down and has not come back";
      case AGENT_STOPPED -> "the agent was stopped and has not come back";
      case HEARTBEATS_MISSED ->
          "%d heartbeats missed in a row, one is due every %d s; %s"
              .formatted(
                  silent.minus(GRACE).dividedBy(interval),
                  interval.toSeconds(),
                  switch (host.presence) {
                    case ONLINE -> "its connection still stands";
                    case WAITING -> "its next contact is overdue";
                    case OFFLINE, NEW, STOPPED, SHUT_DOWN, UNINSTALLED -> "its connection was lost";
                  });
      case CLOCK_CHANGED, FIREWALL_ROLLED_BACK, UPDATES_EXPIRE ->
          throw new IllegalArgumentException(kind + ": not of this monitor");
    };
  }
}
