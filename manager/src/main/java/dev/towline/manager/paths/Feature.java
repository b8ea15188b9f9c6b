package dev.towline.manager.paths;

import dev.towline.proto.v1.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What a host can be asked for, and on which paths that works (P14). The parity suite asks for each
 * of these over each path, and has to be extended with this table.
 */
public enum Feature {
  RUN_WITH_LIVE_OUTPUT("actions with live output"),
  TIME_LIMIT("time limits of actions"),
  CANCEL("cancelling actions"),
  CATCH_UP("actions for hosts that come back later"),
  LOGS("logs"),
  POLICY("policies"),
  HEARTBEAT_INTERVAL("heartbeat intervals"),
  TLS_PROFILE("TLS profiles"),
  DIRECTION("changes of who dials whom"),
  /** Proxies and relays pass on nothing that comes from above. */
  MANAGER_DIALS("being dialled by the manager", EnumSet.of(Path.Kind.DIRECT)),
  FIREWALL("host firewall"),
  FIREWALL_ROLLBACK("taking back firewall rules that cut a host off"),
  TRACE("path traces"),
  UPDATES("updates"),
  GOODBYE("stopped, shut down and lost told apart"),
  UNINSTALL("uninstalling");

  private final String title;
  private final Set<Path.Kind> paths;

  Feature(String title) {
    this(title, EnumSet.allOf(Path.Kind.class));
  }

  Feature(String title, Set<Path.Kind> paths) {
    this.title = title;
    this.paths = paths;
  }

  /** As operators read it. */
  public String title() {
    return title;
  }

  boolean worksOn(Path.Kind kind) {
    return kind == Path.Kind.KIND_UNSPECIFIED || paths.contains(kind);
  }

  /** Titles of what does not work on such a path. */
  public static List<String> missingOn(Path.Kind kind) {
    return Stream.of(values())
        .filter(feature -> !feature.worksOn(kind))
        .map(Feature::title)
        .toList();
  }
}
