package dev.towline.proxy.uplink;

/**
 * What an uplink may hold.
 *
 * @param upBudget bytes queued towards the manager, all sessions together
 * @param downBudget bytes queued towards agents, all sessions together
 * @param maxInitialCredit the most that a manager may grant a session at once
 */
public record UplinkLimits(long upBudget, long downBudget, int maxInitialCredit) {
  /** The credit when a manager names none. */
  public static final int DEFAULT_CREDIT = 8 << 10;

  /** The most sealed bytes in one frame of an agent. */
  public static final int MAX_AGENT_PIECE = 16 << 10;

  /** The most sealed bytes in one frame of an uplink. */
  public static final int MAX_UPLINK_PIECE = 32 << 10;

  public static final UplinkLimits DEFAULTS = new UplinkLimits(64 << 20, 64 << 20, 64 << 10);

  public UplinkLimits {
    if (Math.min(upBudget, downBudget) < 2 * MAX_UPLINK_PIECE) {
      throw new IllegalArgumentException(
          "uplink budget: %d bytes (expected: at least %d)"
              .formatted(Math.min(upBudget, downBudget), 2 * MAX_UPLINK_PIECE));
    }
  }
}
