package dev.towline.agent.actions;

import dev.towline.proto.v1.RunAction;
import java.time.Duration;

/** What a program may use, where its directive does not say. */
record ActionLimits(Duration time, int outputBytes) {
  private static final Duration DEFAULT_TIME = Duration.ofMinutes(5);
  private static final Duration LONGEST_TIME = Duration.ofDays(1);
  private static final int DEFAULT_OUTPUT = 64 * 1024;

  /** A result travels in one frame and stays in the journal until the manager has stored it. */
  private static final int LARGEST_OUTPUT = 1024 * 1024;

  static ActionLimits of(RunAction action) {
    Duration time =
        action.getTimeLimitMs() > 0 ? Duration.ofMillis(action.getTimeLimitMs()) : DEFAULT_TIME;
    long output = action.getOutputLimitBytes() > 0 ? action.getOutputLimitBytes() : DEFAULT_OUTPUT;
    return new ActionLimits(
        time.compareTo(LONGEST_TIME) > 0 ? LONGEST_TIME : time,
        (int) Math.min(output, LARGEST_OUTPUT));
  }
}
