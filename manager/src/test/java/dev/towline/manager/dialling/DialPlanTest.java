package dev.towline.manager.dialling;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.dialling.DialPlan.Listening;
import dev.towline.runtime.policy.Direction;
import dev.towline.testing.Requirement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

@Requirement({"D1", "D2"})
final class DialPlanTest {
  private static final Listening ONLY_LISTENS = new Listening("a", Direction.MANAGER_INITIATED);
  private static final Listening DIALS_TOO = new Listening("b", Direction.BIDIRECTIONAL);

  private final DialPlan plan = new DialPlan(new Random(1));

  @Test
  void due_hostThatOnlyListens_atOnceAndThenEverMoreRarely() {
    List<Long> times = new ArrayList<>();
    for (long now = 0; now < 120_000; now += 100) {
      if (!plan.due(List.of(ONLY_LISTENS), _ -> false, now).isEmpty()) {
        times.add(now);
        plan.ended("a");
      }
    }
    assertThat(times.getFirst()).isZero();
    assertThat(times.get(1)).isLessThanOrEqualTo(1_100);
    for (int i = 1; i < times.size(); i++) {
      assertThat(times.get(i) - times.get(i - 1))
          .isLessThanOrEqualTo(DialPlan.LONGEST_PAUSE.toMillis() + 100);
    }
    assertThat(times.size()).isBetween(8, 25);
  }

  @Test
  void due_hostThatDialsItself_onlyWhenItHadItsTime() {
    long own = DialPlan.OWN_TRY.toMillis();
    assertThat(plan.due(List.of(DIALS_TOO), _ -> false, 0)).isEmpty();
    assertThat(plan.due(List.of(DIALS_TOO), _ -> false, own - 1)).isEmpty();
    assertThat(plan.due(List.of(DIALS_TOO), _ -> false, own)).containsExactly("b");
  }

  @Test
  void due_hostInSession_isLeftAloneAndBeginsAnewWhenLost() {
    assertThat(plan.due(List.of(ONLY_LISTENS), _ -> false, 0)).containsExactly("a");
    plan.ended("a");
    assertThat(plan.due(List.of(ONLY_LISTENS), _ -> true, 1)).isEmpty();
    assertThat(plan.due(List.of(ONLY_LISTENS), _ -> false, 2)).containsExactly("a");
  }

  @Test
  void due_attemptUnderWay_isNotDoubled() {
    assertThat(plan.due(List.of(ONLY_LISTENS), _ -> false, 0)).containsExactly("a");
    assertThat(plan.due(List.of(ONLY_LISTENS), _ -> false, 600_000)).isEmpty();
    plan.ended("a");
    assertThat(plan.due(List.of(ONLY_LISTENS), _ -> false, 600_000)).containsExactly("a");
  }

  @Test
  void due_thousandsAtOnce_someAtATimeUntilAllHadTheirTurn() {
    List<Listening> hosts =
        IntStream.range(0, 1000)
            .mapToObj(i -> new Listening("h" + i, Direction.MANAGER_INITIATED))
            .toList();
    var dialled = new HashSet<String>();
    for (int turn = 0; turn < 20; turn++) {
      List<String> due = plan.due(hosts, dialled::contains, turn);
      assertThat(due.size()).isLessThanOrEqualTo(DialPlan.MOST_AT_ONCE);
      due.forEach(plan::ended);
      dialled.addAll(due);
    }
    assertThat(dialled).hasSize(1000);
  }
}
