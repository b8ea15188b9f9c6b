package dev.towline.manager.heartbeat;

import dev.towline.proto.v1.Heartbeat;
import java.util.OptionalLong;

/**
 * What a heartbeat says about its host's clock (H4). A step is what the agent itself saw; where it
 * does not watch, or was not running, it is the difference between this offset and the one before.
 * An offset that stays is a state of the host and no step.
 */
final class ClockJudge {
  private ClockJudge() {}

  /**
   * @param offsetMs of the host's clock from the manager's, half the round trip taken off
   * @param stepMs by how much the clock was set; 0 when it was not
   */
  record Verdict(long offsetMs, long stepMs) {}

  /**
   * @param before offset at the heartbeat before, if there was one
   */
  static Verdict judge(Heartbeat heartbeat, long receivedMs, OptionalLong before) {
    long offset = heartbeat.getTimeMs() - (receivedMs - heartbeat.getRoundTripMs() / 2);
    if (heartbeat.getClockStepMs() != 0) {
      return new Verdict(offset, heartbeat.getClockStepMs());
    }
    // The first of a session may be the first of a program that was started after the clock was
    // set.
    boolean seenByAgent = heartbeat.getWatchesClock() && heartbeat.getNumber() > 1;
    return new Verdict(offset, seenByAgent || before.isEmpty() ? 0 : offset - before.getAsLong());
  }
}
