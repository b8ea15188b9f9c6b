package dev.towline.runtime.identity;

import java.util.Locale;
import java.util.Optional;

/** What a program is in its fleet; part of its certified name. */
public enum Role {
  MANAGER,
  AGENT,
  PROXY,
  RELAY;

  /** The role as it stands in names and configuration: {@code manager}, {@code agent}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  public static Optional<Role> ofLabel(String label) {
    for (Role role : values()) {
      if (role.label().equals(label)) {
        return Optional.of(role);
      }
    }
    return Optional.empty();
  }

  public dev.towline.proto.v1.Role toProto() {
    return switch (this) {
      case MANAGER -> dev.towline.proto.v1.Role.ROLE_MANAGER;
      case AGENT -> dev.towline.proto.v1.Role.ROLE_AGENT;
      case PROXY -> dev.towline.proto.v1.Role.ROLE_PROXY;
      case RELAY -> dev.towline.proto.v1.Role.ROLE_RELAY;
    };
  }

  public static Optional<Role> ofProto(dev.towline.proto.v1.Role role) {
    return switch (role) {
      case ROLE_MANAGER -> Optional.of(MANAGER);
      case ROLE_AGENT -> Optional.of(AGENT);
      case ROLE_PROXY -> Optional.of(PROXY);
      case ROLE_RELAY -> Optional.of(RELAY);
      case ROLE_UNSPECIFIED, UNRECOGNIZED -> Optional.empty();
    };
  }
}
