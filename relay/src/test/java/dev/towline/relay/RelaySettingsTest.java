package dev.towline.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.runtime.relay.RelayTuning;
import dev.towline.testing.Requirement;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RelaySettingsTest {
  @TempDir Path directory;

  private RelaySettings fromFile(String text) throws Exception {
    Path file = Files.writeString(directory.resolve("relay.yaml"), text);
    return RelaySettings.resolve(Map.of(), Map.of(), Optional.of(file));
  }

  /** What an install command leaves. */
  @Test
  void fileOfCommentsOnly_isAllDefaults() throws Exception {
    RelaySettings settings = fromFile("# Settings of towline-relay; empty means all defaults.\n");
    assertThat(settings.all().values()).allMatch(origin -> origin.kind().equals("default"));
  }

  @Test
  @Requirement("R5")
  void childFlag_setByHand_isTaken() throws Exception {
    assertThat(fromFile("child: true\n").flag("child")).isTrue();
  }

  @Test
  @Requirement("R7")
  void managersWord_countsMost_andGivenBackTheFileHoldsAgain() throws Exception {
    RelaySettings local = fromFile("connections: 3\nreserve: 20\n");
    RelaySettings managed = local.managed(Map.of("connections", "7"));

    assertThat(managed.tuned(RelayTuning.CONNECTIONS)).isEqualTo(7);
    assertThat(managed.all().get("connections").kind()).isEqualTo("manager");
    assertThat(managed.all().get("reserve").kind()).isEqualTo("file");
    assertThat(managed.all().get("drain").kind()).isEqualTo("default");
    assertThat(local.managed(Map.of()).tuned(RelayTuning.CONNECTIONS)).isEqualTo(3);
  }

  @Test
  @Requirement("R7")
  void everyTuning_isASettingWithItsDefault_andRefusesWhatIsOutOfRange() throws Exception {
    for (RelayTuning tuning : RelayTuning.values()) {
      assertThat(fromFile("").tuned(tuning)).isEqualTo(tuning.builtIn());
      assertThat(tuning.accepts(String.valueOf(tuning.builtIn()))).isTrue();
      RelaySettings wrong = fromFile(tuning.key() + ": -1\n");
      assertThatThrownBy(() -> wrong.tuned(tuning))
          .hasMessage("%s: '-1' (expected: %s)".formatted(tuning.key(), tuning.range()));
    }
  }

  @Test
  void unknownKeys_areAllNamed() {
    assertThatThrownBy(() -> fromFile("childe: true\nlisten-on: x\n"))
        .hasMessageContaining("unknown key: childe")
        .hasMessageContaining("unknown key: listen-on");
  }
}
