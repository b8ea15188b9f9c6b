package dev.towline.manager.fleet;

import dev.towline.runtime.identity.Role;
import java.time.Duration;

/** How long certificates live. */
public final class Validities {
  private Validities() {}

  public static Duration of(Role role) {
    return switch (role) {
      case AGENT, RELAY -> Duration.ofDays(30);
      case MANAGER, PROXY -> Duration.ofDays(7);
    };
  }
}
