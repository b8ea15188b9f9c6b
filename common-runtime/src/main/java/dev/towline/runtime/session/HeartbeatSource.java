package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.proto.v1.UpdateReport;
import dev.towline.runtime.policy.Direction;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a program tells with its heartbeats; the session sends only what changed. */
@FunctionalInterface
public interface HeartbeatSource {
  /** Called on the session's thread; must return at once. */
  Content collect();

  /**
   * By how much the clock of this machine was set since the last call, forwards or backwards (H4);
   * the time that passed is no such step. Empty when it is not watched.
   */
  default Optional<Duration> clockStep() {
    return Optional.empty();
  }

  /** Who dials whom, as it is in force; empty for programs that have no choice. */
  default Optional<Reach> reach() {
    return Optional.empty();
  }

  /** What this host has of the components that its policy names; empty for other programs (U4). */
  default Optional<UpdateReport> updates() {
    return Optional.empty();
  }

  /**
   * How this node and its manager get together.
   *
   * @param listenPort where a manager may dial it; 0: nowhere
   */
  record Reach(Direction direction, int listenPort) {}

  /** The state at a moment. */
  record Content(
      List<ModuleStatus> modules, ByteString policyFingerprint, Map<String, Long> counters) {
    public Content {
      modules = List.copyOf(modules);
      counters = Map.copyOf(counters);
    }

    public static final Content NOTHING = new Content(List.of(), ByteString.EMPTY, Map.of());
  }
}
