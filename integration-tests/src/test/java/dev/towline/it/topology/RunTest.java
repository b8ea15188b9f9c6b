package dev.towline.it.topology;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

final class RunTest {
  private final Run current = Run.current();

  @Test
  void current_isNotOver() {
    assertThat(Run.parse(current.label())).isEqualTo(current);
    assertThat(current.isOver()).isFalse();
  }

  @Test
  void processIdUsedAgain_isOver() {
    assertThat(new Run(current.boot(), current.namespace(), current.pid(), "1").isOver()).isTrue();
  }

  @Test
  void noSuchProcess_isOver() {
    // The highest process id a 64-bit kernel gives out is 4194304.
    assertThat(new Run(current.boot(), current.namespace(), 4_194_305, "1").isOver()).isTrue();
  }

  @Test
  void earlierBoot_isOver() {
    assertThat(
            new Run("0000beef", current.namespace(), current.pid(), current.startedAt()).isOver())
        .isTrue();
  }

  @Test
  void otherProcessNamespace_cannotBeJudged() {
    assertThat(new Run(current.boot(), "1", 4_194_305, "1").isOver()).isFalse();
  }

  @Test
  void parse_malformed_saysWhatWasExpected() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Run.parse("kept"))
        .withMessageContaining("expected: boot/namespace/process id/start time");
  }
}
