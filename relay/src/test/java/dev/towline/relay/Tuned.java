package dev.towline.relay;

import dev.towline.relay.child.ChildSettings;
import dev.towline.relay.parent.ParentSettings;
import java.util.Map;
import java.util.Optional;

/** What settings that a manager gives come to, on the way that the program takes. */
public final class Tuned {
  private final RelayPlan plan;

  public Tuned(Map<String, String> settings) {
    this.plan =
        RelayPlan.of(
            RelaySettings.resolve(Map.of("child", "true"), Map.of(), Optional.empty())
                .managed(settings));
  }

  public ParentSettings parent() {
    return plan.parent();
  }

  public ChildSettings.Tuning child() {
    return plan.child().orElseThrow().tuning();
  }

  public long tunnelMemory() {
    return plan.tunnelMemory();
  }
}
