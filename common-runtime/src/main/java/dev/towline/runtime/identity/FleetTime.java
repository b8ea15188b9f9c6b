package dev.towline.runtime.identity;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/**
 * The time as the fleet has it, on a machine whose own clock may be wrong by years: the machine's
 * clock, put right by what a manager said, and never below a floor that only moves up.
 *
 * <p>Threading: safe for use by several threads.
 */
public final class FleetTime implements InstantSource {
  private final InstantSource machine;
  private volatile Duration offset = Duration.ZERO;
  private volatile Instant floor;

  /**
   * @param floor a time that has certainly passed, such as when the program's certificate began
   */
  public FleetTime(InstantSource machine, Instant floor) {
    this.machine = machine;
    this.floor = floor;
  }

  @Override
  public Instant instant() {
    Instant corrected = machine.instant().plus(offset);
    return corrected.isBefore(floor) ? floor : corrected;
  }

  /** It is at least that late. */
  public synchronized void raiseFloor(Instant passed) {
    if (passed.isAfter(floor)) {
      floor = passed;
    }
  }

  /** A manager of the fleet says that it is this time now. */
  public synchronized void learn(Instant now) {
    offset = Duration.between(machine.instant(), now);
    raiseFloor(now);
  }

  public Instant floor() {
    return floor;
  }
}
