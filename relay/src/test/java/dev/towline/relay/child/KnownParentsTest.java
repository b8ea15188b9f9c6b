package dev.towline.relay.child;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import org.junit.jupiter.api.Test;

class KnownParentsTest {
  private Instant now = Instant.parse("2026-01-01T00:00:00Z");
  private final KnownParents parents = new KnownParents(() -> now);

  @Test
  void nothingKnown_anyRelayOfTheFleetIsAccepted() {
    assertThat(parents.accepts("hq")).isTrue();
    assertThat(parents.keeps("hq")).isTrue();
  }

  @Test
  @Requirement("R2")
  void known_onlyTheyAreAccepted() {
    parents.are(Set.of("hq"));
    assertThat(parents.accepts("hq")).isTrue();
    assertThat(parents.accepts("stolen")).isFalse();
    assertThat(parents.keeps("stolen")).isFalse();
  }

  /** Else a child whose only parent died for good could never be given another one. */
  @Test
  @Requirement({"R2", "R5"})
  void allAwayForLong_anotherRelayOfTheFleetIsAccepted_butNotWhileOneIsThere() {
    parents.are(Set.of("hq"));
    parents.held(true);
    now = now.plus(KnownParents.LONG.multipliedBy(10));
    assertThat(parents.accepts("other")).isFalse();

    parents.held(false);
    now = now.plus(KnownParents.LONG.minus(Duration.ofSeconds(1)));
    assertThat(parents.accepts("other")).isFalse();
    now = now.plusSeconds(1);
    assertThat(parents.accepts("other")).isTrue();
  }
}
