package dev.towline.runtime.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.session.ContactRules.Work;
import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;

@Requirement("D3")
final class ContactRulesTest {
  private static final long QUIET = ContactRules.QUIET.toNanos();
  private static final Work NOTHING = new Work(true, 0, 0, false);

  @Test
  void isOver_nothingToDo_afterAMomentOfQuiet() {
    var rules = new ContactRules(0);
    assertThat(rules.isOver(NOTHING, 0)).isFalse();
    assertThat(rules.isOver(NOTHING, QUIET - 1)).isFalse();
    assertThat(rules.isOver(NOTHING, QUIET)).isTrue();
  }

  @Test
  void isOver_notAnswered_never() {
    var rules = new ContactRules(0);
    assertThat(rules.isOver(new Work(false, 0, 0, false), Duration.ofHours(1).toNanos())).isFalse();
  }

  @Test
  void isOver_orderUnderWay_staysHoweverLongItTakes() {
    var rules = new ContactRules(0);
    long late = Duration.ofHours(5).toNanos();
    assertThat(rules.isOver(new Work(true, 1, 0, false), late)).isFalse();
    assertThat(rules.isOver(NOTHING, late)).isTrue();
  }

  @Test
  void isOver_orderComesIntoTheQuiet_quietBeginsAnew() {
    var rules = new ContactRules(0);
    assertThat(rules.isOver(NOTHING, 0)).isFalse();
    assertThat(rules.isOver(new Work(true, 1, 0, false), QUIET / 2)).isFalse();
    assertThat(rules.isOver(NOTHING, QUIET)).isFalse();
    assertThat(rules.isOver(NOTHING, 2 * QUIET)).isTrue();
  }

  @Test
  void isOver_logsThatTrickleOn_notLongerThanTheLongest() {
    var rules = new ContactRules(0);
    Work busy = new Work(true, 0, 0, true);
    long longest = ContactRules.LONGEST.toNanos();
    assertThat(rules.isOver(busy, longest - 1)).isFalse();
    assertThat(rules.isOver(busy, longest)).isTrue();
  }

  @Test
  void untilNext_contactsBeginAnIntervalApart() {
    var rules = new ContactRules(0);
    Duration interval = Duration.ofSeconds(5);
    assertThat(rules.untilNext(interval, Duration.ofSeconds(2).toNanos()))
        .isEqualTo(Duration.ofSeconds(3));
    assertThat(rules.untilNext(interval, Duration.ofSeconds(60).toNanos()))
        .isEqualTo(SessionTimings.BACKOFF_BASE);
  }

  /**
   * Whatever happens: never left with an order unfinished or unanswered, always left in the end.
   */
  @Test
  void isOver_randomWork_leavesOnlyWhenItMay() {
    long seed =
        Long.getLong("towline.seed", Boolean.getBoolean("towline.long") ? System.nanoTime() : 1);
    System.out.println("seed " + seed + " (repeat with -Dtowline.seed=" + seed + ")");
    Random random = new Random(seed);
    for (int run = 0; run < 500; run++) {
      var rules = new ContactRules(0);
      long now = 0;
      int unfinished = 0;
      int owed = 0;
      boolean answered = false;
      boolean left = false;
      for (int step = 0; step < 400 && !left; step++) {
        now += random.nextLong(Duration.ofMillis(200).toNanos());
        answered |= random.nextInt(5) == 0;
        boolean quietTime = step > 200;
        if (!quietTime && random.nextInt(6) == 0) {
          unfinished++;
        } else if (unfinished > 0 && (quietTime || random.nextBoolean())) {
          unfinished--;
          owed++;
        } else if (owed > 0) {
          owed--;
        }
        left = rules.isOver(new Work(answered, unfinished, owed, false), now);
        if (left) {
          assertThat(answered).isTrue();
          assertThat(unfinished).isZero();
        }
      }
      assertThat(left).as("run %d", run).isTrue();
    }
  }
}
