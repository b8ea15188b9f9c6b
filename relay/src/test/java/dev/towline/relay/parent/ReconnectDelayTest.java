package dev.towline.relay.parent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Research item A2.8: no thundering herd, and no parent that hammers a child. */
class ReconnectDelayTest {
  private static final ParentSettings SETTINGS = ParentSettings.DEFAULTS;
  private static final int PARENTS = 1000;

  @Test
  @Requirement("R4")
  void manyParents_loseOneChildAtOnce_comeBackSpreadOverTheWholeTime() {
    long seed = Boolean.getBoolean("towline.long") ? System.nanoTime() : 1;
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    List<Integer> tenths = new ArrayList<>(Collections.nCopies(10, 0));
    ReconnectDelay[] parents = new ReconnectDelay[PARENTS];
    for (int i = 0; i < PARENTS; i++) {
      parents[i] = new ReconnectDelay(random);
      long first = parents[i].next(SETTINGS, Duration.ofHours(1)).toMillis();
      int tenth = (int) Math.min(9, first * 10 / SETTINGS.backoff().toMillis());
      tenths.set(tenth, tenths.get(tenth) + 1);
    }
    // Even would be 100 each; a fixed delay with 20 % of jitter leaves most of them empty.
    assertThat(tenths).allSatisfy(count -> assertThat(count).isBetween(50, 160));

    for (int round = 0; round < 10; round++) {
      for (ReconnectDelay parent : parents) {
        assertThat(parent.next(SETTINGS, Duration.ZERO))
            .isLessThanOrEqualTo(SETTINGS.backoffCap())
            .isLessThanOrEqualTo(Duration.ofSeconds(4));
      }
    }
  }

  @Test
  @Requirement("R4")
  void connectionThatNeverStays_isAFailure_soTheDelaysGrow() {
    ReconnectDelay delay = new ReconnectDelay(new Random(1));
    long longest = 0;
    for (int i = 0; i < 200; i++) {
      longest = Math.max(longest, delay.next(SETTINGS, Duration.ofMillis(300)).toMillis());
    }
    assertThat(longest).isGreaterThan(1_200);

    // One that stood is no reason to wait.
    assertThat(delay.next(SETTINGS, Duration.ofMinutes(1))).isLessThanOrEqualTo(SETTINGS.backoff());
  }

  /**
   * A network that comes back at any moment, on a clock of its own: dials with the kernel's pauses
   * between their attempts, and the delays between dials.
   */
  @Test
  @Requirement("R4")
  void networkBack_atAnyMoment_aDialArrivesWithin3Seconds() {
    long seed = Boolean.getBoolean("towline.long") ? System.nanoTime() : 1;
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    Duration longest = Duration.ZERO;
    for (int i = 0; i < 20_000; i++) {
      Duration away = Duration.ofMillis(random.nextLong(Duration.ofMinutes(2).toMillis()));
      Duration waited = waitAfter(away, SETTINGS, random);
      longest = waited.compareTo(longest) > 0 ? waited : longest;
    }
    System.out.println("longest wait after the network was back: " + longest);
    // Leaves 2 s of the 5 for the handshakes.
    assertThat(longest).isLessThanOrEqualTo(Duration.ofSeconds(3));
    // And the model tells slow settings from quick ones.
    ParentSettings slow = with(Duration.ofSeconds(4), Duration.ofSeconds(5));
    Random again = new Random(seed);
    assertThat(
            Stream.generate(
                    () -> waitAfter(Duration.ofMillis(again.nextLong(120_000)), slow, again))
                .limit(20_000)
                .max(Duration::compareTo))
        .hasValueSatisfying(wait -> assertThat(wait).isGreaterThan(Duration.ofSeconds(5)));
  }

  /** How long after the network was back the first packet of a dial went through. */
  private static Duration waitAfter(Duration away, ParentSettings settings, Random random) {
    ReconnectDelay delay = new ReconnectDelay(random);
    Duration now = delay.next(settings, Duration.ofHours(1));
    while (true) {
      // The kernel sends the first packet again after 1, 3, 7 … seconds.
      for (Duration sent = Duration.ZERO, pause = Duration.ofSeconds(1);
          sent.compareTo(settings.connectTimeout()) < 0;
          sent = sent.plus(pause), pause = pause.multipliedBy(2)) {
        if (now.plus(sent).compareTo(away) >= 0) {
          return now.plus(sent).minus(away);
        }
      }
      now = now.plus(settings.connectTimeout()).plus(delay.next(settings, Duration.ZERO));
    }
  }

  private static ParentSettings with(Duration backoffCap, Duration connectTimeout) {
    return new ParentSettings(
        SETTINGS.connections(),
        SETTINGS.maxReserve(),
        SETTINGS.pace(),
        SETTINGS.backoff(),
        backoffCap,
        connectTimeout,
        false);
  }

  @Test
  void changedBounds_holdForTheNextDial() {
    ReconnectDelay delay = new ReconnectDelay(new Random(1));
    ParentSettings quick =
        new ParentSettings(
            SETTINGS.connections(),
            SETTINGS.maxReserve(),
            SETTINGS.pace(),
            Duration.ofMillis(10),
            Duration.ofMillis(20),
            SETTINGS.connectTimeout(),
            false);
    for (int i = 0; i < 50; i++) {
      assertThat(delay.next(quick, Duration.ZERO)).isLessThanOrEqualTo(Duration.ofMillis(20));
    }
  }
}
