package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ModuleStatus;
import java.util.List;
import java.util.Map;

/** What a program tells with its heartbeats; the session sends only what changed. */
@FunctionalInterface
public interface HeartbeatSource {
  /** Called on the session's thread; must return at once. */
  Content collect();

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
