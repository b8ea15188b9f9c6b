package dev.towline.manager.dialling;

import dev.towline.runtime.policy.Direction;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;

/**
 * Which hosts to dial when, without sockets and clock. A host that dials nobody is dialled as soon
 * as it has no session; one that dials itself only when it was lost for a while, because its own
 * way back may be the broken one. Whoever does not answer is dialled ever more rarely.
 *
 * <p>Threading: its owner's. Times are milliseconds since 1970.
 */
final class DialPlan {
  /** A host that dials itself is given this time to do it. */
  static final Duration OWN_TRY = Duration.ofSeconds(10);

  static final Duration FIRST_PAUSE = Duration.ofSeconds(1);

  /** Between two tries of a host that only listens. */
  static final Duration LONGEST_PAUSE = Duration.ofSeconds(15);

  /** Between two tries of a host that dials itself. */
  static final Duration LONGEST_PAUSE_OF_DIALLERS = Duration.ofMinutes(5);

  static final int MOST_AT_ONCE = 64;

  private final RandomGenerator random;
  private final Map<String, State> states = new HashMap<>();
  private final Set<String> underWay = new HashSet<>();

  /** A host that listens. */
  record Listening(String host, Direction direction) {}

  private static final class State {
    private long nextMs;
    private int failures;
  }

  DialPlan(RandomGenerator random) {
    this.random = random;
  }

  /** Hosts to dial now; each has to be told about with {@link #ended}. */
  List<String> due(Collection<Listening> hosts, Predicate<String> live, long nowMs) {
    Set<String> known = new HashSet<>();
    List<String> due = new ArrayList<>();
    for (Listening host : hosts) {
      known.add(host.host());
      if (live.test(host.host())) {
        states.remove(host.host());
        continue;
      }
      State state = states.get(host.host());
      if (state == null) {
        state = new State();
        state.nextMs = host.direction().agentDials() ? nowMs + OWN_TRY.toMillis() : nowMs;
        states.put(host.host(), state);
      }
      boolean free = underWay.size() < MOST_AT_ONCE && !underWay.contains(host.host());
      if (free && nowMs >= state.nextMs) {
        underWay.add(host.host());
        state.nextMs = nowMs + pause(host.direction(), state.failures++).toMillis();
        due.add(host.host());
      }
    }
    states.keySet().retainAll(known);
    return due;
  }

  /** An attempt came to its end, well or not. */
  void ended(String host) {
    underWay.remove(host);
  }

  private Duration pause(Direction direction, int failures) {
    Duration longest = direction.agentDials() ? LONGEST_PAUSE_OF_DIALLERS : LONGEST_PAUSE;
    long doubled = FIRST_PAUSE.toMillis() << Math.min(failures, 20);
    long most = Math.min(doubled, longest.toMillis());
    return Duration.ofMillis(most / 2 + random.nextLong(most / 2 + 1));
  }
}
