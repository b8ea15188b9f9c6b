package dev.towline.cli;

import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.PathHop;
import dev.towline.proto.v1.Role;
import java.util.stream.Collectors;

/** How a session reaches the manager, in one cell. */
final class Paths {
  private Paths() {}

  /** {@code direct}, {@code proxy p1}, {@code relay dmz > hq}; a dash when there is none. */
  static String describe(Path path) {
    return switch (path.getKind()) {
      case DIRECT -> "direct";
      case PROXY -> kind("proxy", path);
      case RELAY -> kind("relay", path);
      case PROXY_AND_RELAY -> kind("proxy+relay", path);
      case KIND_UNSPECIFIED, UNRECOGNIZED -> "-";
    };
  }

  private static String kind(String kind, Path path) {
    String hops =
        path.getHopsList().stream()
            .filter(hop -> hop.getRole() == Role.ROLE_PROXY || hop.getRole() == Role.ROLE_RELAY)
            .map(Paths::name)
            .collect(Collectors.joining(" > "));
    return hops.isEmpty() ? kind : kind + " " + hops;
  }

  private static String name(PathHop hop) {
    return hop.getName().isEmpty() ? hop.getId() : hop.getName();
  }
}
