package dev.towline.runtime.policy;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Who dials whom (D1-D3). */
public enum Direction {
  /** The agent dials and stays; it also listens, and the manager may dial it. */
  BIDIRECTIONAL("bidirectional", true, true),
  /** The agent only listens; the manager dials and stays. */
  MANAGER_INITIATED("manager-initiated", false, true),
  /** The agent dials and stays, and listens on nothing. */
  AGENT_INITIATED("agent-initiated", true, false),
  /** The agent dials at each heartbeat, carries what there is, and leaves again. */
  AGENT_INITIATED_SHORT("agent-initiated-short", true, false);

  private final String label;
  private final boolean agentDials;
  private final boolean listens;

  Direction(String label, boolean agentDials, boolean listens) {
    this.label = label;
    this.agentDials = agentDials;
    this.listens = listens;
  }

  /** As policies write it. */
  public String label() {
    return label;
  }

  public boolean agentDials() {
    return agentDials;
  }

  /** Whether the agent has a port that its managers may dial. */
  public boolean listens() {
    return listens;
  }

  public static Optional<Direction> ofLabel(String label) {
    return Arrays.stream(values()).filter(d -> d.label.equals(label)).findFirst();
  }

  public static List<String> labels() {
    return Arrays.stream(values()).map(Direction::label).toList();
  }
}
