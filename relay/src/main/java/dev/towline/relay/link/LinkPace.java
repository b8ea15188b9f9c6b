package dev.towline.relay.link;

import java.time.Duration;

/**
 * How the liveness of a persistent connection is watched (R4, R7).
 *
 * @param interval between two pings
 * @param answerWithin a ping that is answered later counts as missed; never more than the interval
 * @param misses in a row that end the connection
 */
public record LinkPace(Duration interval, Duration answerWithin, int misses) {
  public static final Duration USUAL_ANSWER = Duration.ofSeconds(5);
  public static final int USUAL_MISSES = 2;

  public LinkPace {
    if (!interval.isPositive() || !answerWithin.isPositive() || misses < 1) {
      throw new IllegalArgumentException(
          "ping interval: %s, answer within: %s, misses: %d (expected: more than 0)"
              .formatted(interval, answerWithin, misses));
    }
    answerWithin = answerWithin.compareTo(interval) > 0 ? interval : answerWithin;
  }

  public static LinkPace of(Duration interval) {
    return new LinkPace(interval, USUAL_ANSWER, USUAL_MISSES);
  }
}
